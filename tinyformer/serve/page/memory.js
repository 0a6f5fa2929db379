// What the browser remembers between visits. A browser that forbids it remembers nothing, and the page works without.

export function recall(name, store = "localStorage") {
    try {
        return window[store].getItem(`tinyformer.${name}`);
    } catch {
        return null;
    }
}

export function remember(name, value, store = "localStorage") {
    try {
        window[store].setItem(`tinyformer.${name}`, value);
    } catch {
        // Private windows and full stores: the choice holds until the page is closed.
    }
}
