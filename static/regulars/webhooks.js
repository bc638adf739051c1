// The rows of an endpoint's filters. Without this there is one empty row, which will do.
"use strict";

document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-filter-rows] button");
    if (!button) return;
    const rows = button.closest("[data-filter-rows]");
    if ("removeRow" in button.dataset) {
        button.closest("[data-row]").remove();
        rows.querySelector("[data-add-row]").focus();
    } else if ("addRow" in button.dataset) {
        const row = rows.querySelector("template").content.cloneNode(true).firstElementChild;
        rows.querySelector("template").before(row);
        row.querySelector("input").focus();
    }
});
