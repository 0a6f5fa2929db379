// Starts the page: asks the server which model it has, and shows what that model can do.

import {ask} from "./api.js";
import {startAttention} from "./attention.js";
import {startClassification} from "./classify.js";
import {find} from "./dom.js";
import {startGeneration} from "./generate.js";
import {say, startLanguage, word} from "./language.js";
import {report, startKey} from "./notice.js";
import {startProbabilities} from "./probabilities.js";
import {startSimilarity} from "./similarity.js";
import {startTheme} from "./theme.js";

// For each task: what the text box is for, what the button says, the parts of the page, and what the button does.
const TASKS = {
    "completion": {text: "prompt", button: "generate", parts: ["settings", "stop", "generation", "probabilities"],
                 start: startGeneration},
    "classification": {text: "text", button: "classify", parts: [], start: startClassification},
    "embedding": {text: "sentences", button: "compare", parts: [], start: startSimilarity},
};

let submit = null;

async function meet() {
    let card;
    try {
        card = (await ask("/v1/models")).data[0];
    } catch (error) {
        report(error);
        return;
    }
    find("model").textContent = card.id;
    document.title = `${card.id} · tinyformer`;
    const task = TASKS[card.task];
    if (!task) {
        find("form").hidden = true;
        report(new Error(word("no-task", {architecture: card.architecture})));
        return;
    }
    say(find("text-label"), task.text);
    say(find("text-hint"), `${task.text}-hint`);
    say(find("submit"), task.button);
    for (const part of TASKS.completion.parts) find(part).hidden = !task.parts.includes(part);
    submit = task.start(card);
    if (card.attention) startAttention(card);
}

startLanguage();
startTheme();
startProbabilities();
startKey(() => { if (submit === null) meet(); });
find("form").addEventListener("submit", event => {
    event.preventDefault();
    submit?.();
});
find("text").addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        find("form").requestSubmit();
    }
});
meet();
