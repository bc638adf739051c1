// Comparing two contacts: what was not chosen by hand follows the contact that stays.
"use strict";

document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-compare]");
    if (!form || event.target.type !== "radio") return;
    if (event.target.name !== "stays") {
        for (const one of form.elements.namedItem(event.target.name)) one.dataset.touched = "yes";
        return;
    }
    for (const one of form.querySelectorAll("tbody input[type=radio]:not([data-touched])")) {
        one.checked = one.value === event.target.value;
    }
});
