// Light or dark: what the system prefers, unless the reader chooses.

import {find} from "./dom.js";
import {recall, remember} from "./memory.js";

export function startTheme() {
    const select = find("theme");
    const wear = () => { document.documentElement.dataset.theme = select.value; };
    select.value = recall("theme") ?? "system";
    if (select.selectedIndex < 0) select.value = "system";
    select.addEventListener("change", () => {
        remember("theme", select.value);
        wear();
    });
    wear();
}
