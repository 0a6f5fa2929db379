// Tokens in a line, each with its number below it and a color for it. The line below a token says the sign as well.

import {element, visible} from "./dom.js";

/** A list of `tokens` with `values`; the strongest color stands for `most`. With `choose`, each token is a button that
 *  calls choose(i), and `current` is the one that is pressed. */
export function strip(tokens, values, {most, write, choose = null, current = -1}) {
    return element("ol", {className: "strip"}, ...tokens.map((token, i) => {
        const value = values[i];
        const name = element(choose ? "button" : "span", {className: "name", textContent: visible(token)});
        if (choose) {
            name.type = "button";
            name.ariaPressed = i === current;
            name.addEventListener("click", () => choose(i));
        }
        const sign = value < 0 ? "against" : "for";
        const number = element("span", {className: "number", textContent: write(value)});
        return element("li", {className: sign, style: {"--strength": strength(value, most)}}, name, number);
    }));
}

/** How strong the color is, 0…1. */
export function strength(value, most) {
    return most > 0 ? Math.min(Math.abs(value) / most, 1) : 0;
}
