// The attention weights of one head over the text: of a chosen token, and all of them in a table.

import {ask} from "./api.js";
import {element, find, visible} from "./dom.js";
import {decimal, onLanguage, percent, saying} from "./language.js";
import {clearNotice, report} from "./notice.js";
import {strength, strip} from "./strip.js";

const LARGEST = 64;                                 // tokens; a larger table is too much for a page
let shown = null;                                   // {tokens, keys, weights, layer, head} as the server answered
let query = 0;

async function attend(model) {
    clearNotice();
    try {
        shown = await ask("/v1/attention", {model, prompt: find("text").value, layer: Number(find("layer").value),
                                            head: Number(find("head").value)});
    } catch (error) {
        report(error);
        return;
    }
    query = shown.tokens.length - 1;                // the last token: its attention makes the next one
    draw();
}

function draw() {
    if (shown === null) return;
    const {tokens, weights, layer, head} = shown;
    const row = weights[query];
    const choose = i => {
        query = i;
        draw();
        find("weights").querySelectorAll(".strip button")[i].focus();
    };
    const write = p => p === 0 ? "–" : percent(p, 0);
    const line = strip(tokens, row, {most: Math.max(...row), write, choose, current: query});
    const said = saying("p", "attends", {layer, head, number: query + 1, count: tokens.length,
                                         token: visible(tokens[query])});
    said.ariaLive = "polite";
    const open = find("weights").querySelector("details")?.open ?? false;
    find("weights").replaceChildren(said, line, ...(tokens.length <= LARGEST ? [all(tokens, weights, open)] : []));
}

/** The whole matrix, which scrolls in its own box. A weight of exactly 0 is a token that the mask hides: no number. */
function all(tokens, weights, open) {
    const head = element("tr", {}, element("td"), ...tokens.map(token =>
        element("th", {scope: "col", textContent: visible(token)})));
    const cell = weight => element("td", {className: "weight", textContent: weight === 0 ? "" : decimal(weight),
                                          style: {"--strength": strength(weight, 1)}});
    const rows = weights.map((row, i) => element("tr", {},
        element("th", {scope: "row", textContent: visible(tokens[i])}), ...row.map(cell)));
    const table = element("table", {className: "weights"}, element("thead", {}, head), element("tbody", {}, ...rows));
    const box = element("div", {className: "scroll", tabIndex: 0}, table);
    return element("details", {open}, saying("summary", "all-weights"), box);
}

/** Offer the layers and heads that the model has. */
export function startAttention({id: model, attention: {layers, heads}}) {
    const fill = (id, n) => find(id).replaceChildren(...Array.from({length: n}, (_, i) =>
        element("option", {value: i, textContent: i})));
    fill("layer", layers);
    fill("head", heads);
    find("attention").hidden = false;
    find("attend").addEventListener("click", () => attend(model));
    for (const id of ["layer", "head"]) find(id).addEventListener("change", () => shown && attend(model));
    onLanguage(draw);
}
