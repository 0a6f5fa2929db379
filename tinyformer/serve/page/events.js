// Server-sent events, as the HTML standard describes them: blocks that an empty line ends, "data:" before each line.

const END_OF_EVENT = /\r\n\r\n|\n\n|\r\r/;

/** Yield the data of each event in `body`, a stream of bytes. A block may arrive in pieces, cut anywhere. */
export async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const {done, value} = await reader.read();
            if (done) return;                       // a block without its empty line is incomplete and does not count
            rest += value;
            for (let end; (end = END_OF_EVENT.exec(rest)) !== null;) {
                const data = dataOf(rest.slice(0, end.index));
                rest = rest.slice(end.index + end[0].length);
                if (data !== null) yield data;
            }
        }
    } finally {
        reader.cancel().catch(() => {});            // a caller that stops reading ends the request
    }
}

/** The lines behind "data:", or null for a block without any, such as a comment that keeps a connection alive. */
function dataOf(block) {
    const lines = block.split(/\r\n|\n|\r/).filter(line => line.startsWith("data:"));
    return lines.length ? lines.map(line => line.slice(5).replace(/^ /, "")).join("\n") : null;
}
