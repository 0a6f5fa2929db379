// Requests to the server: JSON in and out, or a stream of events. A refusal becomes a ServerError with its sentence.

import {events} from "./events.js";
import {word} from "./language.js";
import {recall, remember} from "./memory.js";

let key = recall("key", "sessionStorage") ?? "";

export class ServerError extends Error {
    constructor(message, status = 0) {
        super(message);
        this.status = status;
    }
}

/** Send `chosen` with each request from now on, until the tab is closed. */
export function useKey(chosen) {
    key = chosen;
    remember("key", chosen, "sessionStorage");
}

/** The JSON that the server answers: to GET, or to POST when there is a `body`. */
export async function ask(path, body, signal) {
    return (await request(path, body, signal)).json();
}

/** Yield the objects of a streamed answer. It must end with [DONE]; otherwise the connection was lost. */
export async function* stream(path, body, signal) {
    const response = await request(path, {...body, stream: true}, signal);
    try {
        for await (const data of events(response.body)) {
            if (data === "[DONE]") return;
            const came = JSON.parse(data);
            if (came.error) throw new ServerError(came.error.message);
            yield came;
        }
    } catch (error) {
        if (error instanceof TypeError) throw new ServerError(word("cut-off"));
        throw error;
    }
    throw new ServerError(word("cut-off"));
}

async function request(path, body, signal) {
    const headers = key ? {"Authorization": `Bearer ${key}`} : {};
    const options = body === undefined ? {headers, signal} : {
        method: "POST", headers: {...headers, "Content-Type": "application/json"}, body: JSON.stringify(body), signal};
    let response;
    try {
        response = await fetch(path, options);
    } catch (error) {
        throw error.name === "AbortError" ? error : new ServerError(word("unreachable"));
    }
    if (!response.ok) throw await refusal(response);
    return response;
}

async function refusal(response) {
    let sentence = `${response.status} ${response.statusText}`;
    try {
        sentence = (await response.json()).error.message;
    } catch {
        // Something between the page and the server answered; the number is all there is.
    }
    const seconds = response.headers.get("Retry-After");
    return new ServerError(seconds ? `${sentence} ${word("wait", {seconds})}` : sentence, response.status);
}
