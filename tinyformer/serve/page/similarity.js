// The page of a model of sentence vectors: how similar the lines of the text box are to each other.

import {ask} from "./api.js";
import {element, find} from "./dom.js";
import {decimal, onLanguage, saying, word} from "./language.js";
import {clearNotice, report} from "./notice.js";
import {strength} from "./strip.js";

let shown = null;                                   // {sentences, cosines}

async function compare(model) {
    clearNotice();
    const sentences = find("text").value.split("\n").map(line => line.trim()).filter(Boolean);
    if (sentences.length < 2) {
        report(new Error(word("two-sentences")));
        return;
    }
    try {
        const {data} = await ask("/v1/embeddings", {model, input: sentences});
        const vectors = data.map(({embedding}) => embedding);
        shown = {sentences, cosines: vectors.map(a => vectors.map(b => cosine(a, b)))};
    } catch (error) {
        report(error);
        return;
    }
    draw();
}

function cosine(a, b) {
    const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function draw() {
    if (shown === null) return;
    const {sentences, cosines} = shown;
    find("similarity").hidden = false;
    let best = [0, 1];
    cosines.forEach((row, i) => row.forEach((value, j) => {
        if (i < j && value > cosines[best[0]][best[1]]) best = [i, j];
    }));
    const [first, second] = best;
    const answer = saying("p", "nearest", {first: first + 1, second: second + 1,
                                           value: decimal(cosines[first][second])}, {className: "answer"});
    answer.ariaLive = "polite";
    const head = element("tr", {}, element("td"), ...sentences.map((_, j) =>
        element("th", {scope: "col", textContent: j + 1})));
    const rows = cosines.map((row, i) => element("tr", {},
        element("th", {scope: "row", className: "sentence", textContent: `${i + 1}  ${sentences[i]}`}),
        ...row.map(value => element("td", {
            className: value < 0 ? "weight against" : "weight", textContent: decimal(value),
            style: {"--strength": strength(value, 1)}}))));
    const table = element("table", {className: "weights"}, element("thead", {}, head), element("tbody", {}, ...rows));
    find("similarities").replaceChildren(answer, element("div", {className: "scroll", tabIndex: 0}, table));
}

export function startSimilarity({id: model}) {
    onLanguage(draw);
    return () => compare(model);
}
