// The language of the page: English or Chinese, by the reader's choice, which the browser remembers.

import {element, find} from "./dom.js";
import {recall, remember} from "./memory.js";
import {WORDS} from "./words.js";

const redraws = [];
let language = "en";

/** The text of `key` in the language of the page, its {names} replaced by `values`. */
export function word(key, values = {}) {
    return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Let `node` say `key`, now and in each language that is chosen later. */
export function say(node, key, values = {}) {
    node.dataset.word = key;
    node.dataset.values = JSON.stringify(values);
    node.textContent = word(key, values);
}

/** Let `node` say nothing. */
export function hush(node) {
    delete node.dataset.word;
    node.textContent = "";
}

/** A new element that says `key`. */
export function saying(tag, key, values = {}, properties = {}) {
    const node = element(tag, properties);
    say(node, key, values);
    return node;
}

/** Call `redraw` after each change of the language: for what has numbers in it. */
export function onLanguage(redraw) {
    redraws.push(redraw);
}

export function percent(p, digits = 1) {
    return new Intl.NumberFormat(language, {style: "percent", minimumFractionDigits: digits,
                                            maximumFractionDigits: digits}).format(p);
}

export function decimal(x, digits = 2, sign = "auto") {
    return new Intl.NumberFormat(language, {minimumFractionDigits: digits, maximumFractionDigits: digits,
                                            signDisplay: sign}).format(x);
}

function speak(chosen) {
    language = chosen;
    document.documentElement.lang = chosen;
    for (const node of document.querySelectorAll("[data-word]")) {
        node.textContent = word(node.dataset.word, JSON.parse(node.dataset.values ?? "{}"));
    }
    for (const field of document.querySelectorAll("[data-placeholder]")) {
        field.placeholder = word(field.dataset.placeholder);
    }
    redraws.forEach(redraw => redraw());
}

export function startLanguage() {
    const select = find("language");
    const wished = recall("language") ?? (navigator.language.startsWith("zh") ? "zh-Hans" : "en");
    select.value = wished in WORDS ? wished : "en";
    select.addEventListener("change", () => {
        remember("language", select.value);
        speak(select.value);
    });
    speak(select.value);
}
