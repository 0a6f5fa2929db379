// The tokens of the output, and the probabilities of the chosen one: by pointer, by touch, by keys, by buttons.

import {element, find, visible} from "./dom.js";
import {onLanguage, percent, saying, word} from "./language.js";
import {aligned} from "./pieces.js";

let pieces = [];                                    // [{node, tokens: [{token, p, top: [[token, p]]}]}]
let chosen = -1;

/** Append streamed text. `logprobs` are those of the completions format: one entry for each token. */
export function addPiece(text, logprobs) {
    const output = find("output");
    const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 8;
    const tokens = (logprobs?.tokens ?? []).map((token, i) => read(token, logprobs, i));
    for (const piece of aligned(text, tokens)) {
        const node = element("span", {className: "token", textContent: piece.text});
        output.append(node);
        pieces.push({node, tokens: piece.tokens});
    }
    if (atEnd) output.scrollTop = output.scrollHeight;          // unless the reader has scrolled up
    enableButtons();
}

function read(token, logprobs, i) {
    const top = Object.entries(logprobs.top_logprobs?.[i] ?? {}).map(([other, l]) => [other, Math.exp(l)]);
    const p = Math.exp(logprobs.token_logprobs[i]);
    if (!top.some(([other]) => other === token)) top.push([token, p]);
    return {token, p, top: top.sort((a, b) => b[1] - a[1])};
}

export function forgetPieces() {
    pieces = [];
    chosen = -1;
    find("output").replaceChildren();
    draw();
}

/** Choose piece `i` and show its probabilities. Screen readers hear it where keys or buttons chose it. */
function choose(i, aloud) {
    if (i < 0 || i >= pieces.length) return;
    pieces[chosen]?.node.classList.remove("chosen");
    chosen = i;
    pieces[i].node.classList.add("chosen");
    draw();
    if (aloud) {
        pieces[i].node.scrollIntoView({block: "nearest"});
        find("token-said").textContent = pieces[i].tokens.map(sentence).join(" ");
    }
}

function sentence({token, p, top}) {
    const others = top.map(([other, q]) => `${visible(other)} ${percent(q)}`).join(", ");
    return word("token-said", {number: chosen + 1, token: visible(token), probability: percent(p), others});
}

function draw() {
    enableButtons();
    if (chosen < 0) {
        find("token").replaceChildren(saying("p", "no-token", {}, {className: "quiet"}));
        find("token-said").textContent = "";
        return;
    }
    find("token").replaceChildren(
        saying("p", "token-of", {number: chosen + 1, count: pieces.length}), ...pieces[chosen].tokens.map(table));
}

/** The most probable tokens with bars. The chosen one has a sign and a word, not a color alone. */
function table({token, top}) {
    const head = element("tr", {}, saying("th", "token", {}, {scope: "col"}),
                         saying("th", "probability", {}, {scope: "col", colSpan: 2}));
    const rows = top.map(([other, p]) => {
        const name = element("th", {scope: "row"}, element("code", {textContent: visible(other)}));
        if (other === token) name.append(" ✓ ", saying("span", "chosen", {}, {className: "quiet"}));
        return element("tr", {className: other === token ? "taken" : ""}, name,
                       element("td", {className: "number", textContent: percent(p)}),
                       element("td", {className: "bar", ariaHidden: "true"},
                               element("div", {style: {"--share": p}})));
    });
    return element("table", {className: "bars"}, element("thead", {}, head), element("tbody", {}, ...rows));
}

function enableButtons() {
    find("previous").disabled = chosen <= 0;
    find("next").disabled = chosen + 1 >= pieces.length;
}

export function startProbabilities() {
    const output = find("output");
    const under = event => pieces.findIndex(({node}) => node === event.target);
    output.addEventListener("pointerover", event => choose(under(event), false));
    output.addEventListener("click", event => choose(under(event), true));
    output.addEventListener("keydown", event => {
        const to = {ArrowRight: chosen + 1, ArrowDown: chosen + 1, ArrowLeft: chosen - 1, ArrowUp: chosen - 1,
                    Home: 0, End: pieces.length - 1}[event.key];
        if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        choose(Math.min(Math.max(to, 0), pieces.length - 1), true);
    });
    find("previous").addEventListener("click", () => step(-1));
    find("next").addEventListener("click", () => step(1));
    onLanguage(draw);
}

/** A button that is disabled at the end of the text hands the focus to its neighbor. */
function step(by) {
    choose(chosen + by, true);
    if (find("previous").disabled && by < 0) find("next").focus();
    if (find("next").disabled && by > 0) find("previous").focus();
}
