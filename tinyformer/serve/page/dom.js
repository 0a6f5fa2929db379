// Elements of the page: found, made, and texts of tokens made visible.

export function find(id) {
    return document.getElementById(id);
}

/** A new element with `properties` and `children`. `style` holds custom properties, which the security policy lets a
 *  script set; a style attribute in the text of the page would be refused. */
export function element(tag, {style = {}, ...properties} = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
    node.append(...children);
    return node;
}

const SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"};

/** A token as a reader can see it: spaces and line ends have signs. */
export function visible(token) {
    return token.replace(/[ \n\t\r]/g, space => SIGNS[space]) || "∅";
}
