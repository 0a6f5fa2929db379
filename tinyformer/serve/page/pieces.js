// Streamed text cut into pieces, each with the tokens that it consists of.

const decoder = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true});
const encoder = new TextEncoder();

/** Cut `text` into [{text, tokens}], one piece for each token. The bytes of one character, such as \xe6 \x99 \xba, are
 *  tokens of one piece. Tokens that do not spell the text, such as bytes that are no character, all get one piece. */
export function aligned(text, tokens) {
    const pieces = [];
    let bytes = [], group = [], at = 0;
    for (const token of tokens) {
        bytes.push(...bytesOf(token.token));
        group.push(token);
        const read = decoded(bytes);
        if (read === null) continue;
        if (!text.startsWith(read, at)) break;
        pieces.push({text: read, tokens: group});
        at += read.length;
        bytes = [], group = [];
    }
    return group.length || at < text.length ? [{text, tokens}] : pieces;
}

/** The server writes a byte that is no character alone as \x and two digits. */
function bytesOf(token) {
    return token.split(/(\\x[0-9a-f]{2})/).flatMap(part =>
        /^\\x[0-9a-f]{2}$/.test(part) ? [parseInt(part.slice(2), 16)] : [...encoder.encode(part)]);
}

/** The text of the bytes, or null while a character is incomplete. */
function decoded(bytes) {
    try {
        return decoder.decode(new Uint8Array(bytes));
    } catch {
        return null;
    }
}
