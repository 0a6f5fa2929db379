// Errors: the server's sentence, and the field for the key when the server asks for one.

import {useKey} from "./api.js";
import {find} from "./dom.js";

export function clearNotice() {
    find("notice").hidden = true;
    find("notice").textContent = "";
}

/** Show what went wrong. Status 401 also brings the field for the key. */
export function report(error) {
    find("notice").hidden = false;
    find("notice").textContent = error.message;
    if (error.status === 401) {
        find("key-form").hidden = false;
        find("key").focus();
    }
}

/** Call `retry` with each new key. */
export function startKey(retry) {
    find("key-form").addEventListener("submit", event => {
        event.preventDefault();
        useKey(find("key").value);
        find("key").value = "";
        find("key-form").hidden = true;
        clearNotice();
        retry();
    });
}
