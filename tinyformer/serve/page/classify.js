// A classifier's page: the probability of each class, and what each token contributes to the most likely one.

import {ask} from "./api.js";
import {element, find} from "./dom.js";
import {decimal, onLanguage, percent, saying} from "./language.js";
import {clearNotice, report} from "./notice.js";
import {strip} from "./strip.js";

let shown = null;                                   // as the server answered

async function classify(model) {
    clearNotice();
    try {
        shown = await answered({model, input: find("text").value});
    } catch (error) {
        report(error);
        return;
    }
    draw();
}

/** The answer with attributions, or without them for a text that has too few tokens to divide the logit among. */
async function answered(body) {
    let answer;
    try {
        answer = await ask("/v1/classify", {...body, explain: true});
    } catch (error) {
        if (error.status !== 422) throw error;
        answer = await ask("/v1/classify", body);
    }
    return answer.data[0];
}

function draw() {
    if (shown === null) return;
    find("classification").hidden = false;
    find("classes").replaceChildren(
        element("p", {className: "answer", ariaLive: "polite"},
                `${shown.label} ${percent(shown.probabilities[shown.label])}`), table());
    find("explained").hidden = shown.tokens === undefined;
    if (shown.tokens === undefined) return;
    const most = Math.max(...shown.attributions.map(Math.abs));
    find("attributions").replaceChildren(
        strip(shown.tokens, shown.attributions, {most, write: value => decimal(value, 2, "exceptZero")}));
}

function table() {
    const rows = Object.entries(shown.probabilities).sort((a, b) => b[1] - a[1]).map(([label, p]) =>
        element("tr", {className: label === shown.label ? "taken" : ""},
                element("th", {scope: "row", textContent: label}),
                element("td", {className: "number", textContent: percent(p)}),
                element("td", {className: "bar", ariaHidden: "true"}, element("div", {style: {"--share": p}}))));
    const head = element("tr", {}, saying("th", "class", {}, {scope: "col"}),
                         saying("th", "probability", {}, {scope: "col", colSpan: 2}));
    return element("table", {className: "bars"}, element("thead", {}, head), element("tbody", {}, ...rows));
}

export function startClassification({id: model}) {
    onLanguage(draw);
    return () => classify(model);
}
