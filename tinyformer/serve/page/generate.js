// A language model's page: the settings, the stream of text, the button that stops it.

import {stream} from "./api.js";
import {find} from "./dom.js";
import {decimal, hush, onLanguage, say, word} from "./language.js";
import {clearNotice, report} from "./notice.js";
import {addPiece, forgetPieces} from "./probabilities.js";

const TOP = 5;                                      // most probable tokens that are asked for
let running = null;                                 // the AbortController of the request that streams

/** The settings as the server's request has them. Top-k 0 and top-p 1 leave all tokens, and are left out. */
function request(model) {
    const value = id => Number(find(id).value);
    const body = {model, prompt: find("text").value, logprobs: TOP, temperature: value("temperature"),
                  max_tokens: value("max-tokens")};
    if (value("top-k") > 0) body.top_k = value("top-k");
    if (value("top-p") < 1) body.top_p = value("top-p");
    if (find("seed").value !== "") body.seed = value("seed");
    return body;
}

/** Stream a completion into the output; a second call while one runs does nothing. */
async function generate(model) {
    if (running) return;
    running = new AbortController();
    const began = performance.now();
    let count = 0, ending = "stop";
    clearNotice();
    forgetPieces();
    busy(true);
    say(find("status"), "working");
    try {
        for await (const event of stream("/v1/completions", request(model), running.signal)) {
            const choice = event.choices[0];
            if (!choice) continue;                  // an event of usage counts
            if (choice.text || choice.logprobs?.tokens.length) {
                addPiece(choice.text, choice.logprobs);
                count += choice.logprobs?.tokens.length ?? 1;
                say(find("status"), "streaming", {count});
            }
            ending = choice.finish_reason ?? ending;
        }
        ended(ending, count, began);
    } catch (error) {
        if (error.name === "AbortError") {
            ended("by-you", count, began);
        } else {
            hush(find("status"));
            report(error);
        }
    } finally {
        running = null;
        busy(false);
    }
}

function ended(how, count, began) {
    say(find("status"), `ended-${how === "length" || how === "by-you" ? how : "stop"}`,
        {count, seconds: decimal((performance.now() - began) / 1000, 1)});
}

/** While text streams, Stop works in place of Generate, and screen readers wait for the whole output. */
function busy(on) {
    const [from, to] = on ? ["submit", "stop"] : ["stop", "submit"];
    const focused = document.activeElement === find(from);
    find("submit").disabled = on;
    find("stop").disabled = !on;
    if (focused) find(to).focus();
    find("output").setAttribute("aria-busy", on);
}

function showSettings() {
    find("temperature-value").textContent = decimal(find("temperature").value);
    find("top-p-value").textContent = decimal(find("top-p").value);
    const k = Number(find("top-k").value);
    find("top-k-value").textContent = k ? decimal(k, 0) : word("all");
}

/** The page of the model that `card` describes, as GET /v1/models does. Returns what the button does. */
export function startGeneration({id: model, vocab_size, max_tokens}) {
    find("top-k").max = Math.min(vocab_size, 100);
    find("max-tokens").max = max_tokens;
    find("max-tokens").value = Math.min(find("max-tokens").value, max_tokens);
    for (const slider of ["temperature", "top-k", "top-p"]) find(slider).addEventListener("input", showSettings);
    onLanguage(showSettings);
    showSettings();
    find("stop").addEventListener("click", () => running?.abort());
    document.addEventListener("keydown", event => { if (event.key === "Escape") running?.abort(); });
    return () => generate(model);
}
