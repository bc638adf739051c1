// The bar above a list: menus that close, and the choice of columns.
"use strict";

(() => {
    const menus = () => document.querySelectorAll(".rg-drop[open]");

    document.addEventListener("click", (event) => {
        menus().forEach((one) => { if (!one.contains(event.target)) one.open = false; });
        const button = event.target.closest("[data-up], [data-down]");
        if (!button) return;
        const item = button.closest("[data-column]");
        const other = button.matches("[data-up]") ? item.previousElementSibling : item.nextElementSibling;
        if (!other?.draggable) return;
        if (button.matches("[data-up]")) other.before(item);
        else other.after(item);
        button.focus();
    });

    document.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        menus().forEach((one) => { one.open = false; one.querySelector("summary").focus(); });
    });

    let dragged = null;
    document.addEventListener("dragstart", (event) => {
        dragged = event.target.closest?.("[data-column][draggable]") ?? null;
        if (dragged) event.dataTransfer.effectAllowed = "move";
    });
    document.addEventListener("dragover", (event) => {
        const item = event.target.closest?.("[data-column][draggable]");
        if (!dragged || !item || item === dragged) return;
        event.preventDefault();
        const box = item.getBoundingClientRect();
        if (event.clientY < box.top + box.height / 2) item.before(dragged);
        else item.after(dragged);
    });
    document.addEventListener("dragend", () => { dragged = null; });

    // Columns go into the address in their order, and what the list is sorted by goes along.
    document.addEventListener("submit", (event) => {
        const form = event.target.closest?.("[data-columns]");
        if (!form) return;
        const shown = [...form.querySelectorAll("[data-column]")]
            .filter((item) => item.querySelector("input").checked)
            .map((item) => item.dataset.column);
        form.elements.cols.value = shown.join(",");
        const sort = form.elements.sort;
        const place = shown.indexOf(sort.value.replace(/^-/, "")) + 1;
        if (place) {
            sort.name = "o";
            sort.value = (sort.value.startsWith("-") ? "-" : "") + place;
            sort.disabled = false;
        }
    });
})();

// A page that waits for something asks how far it is, as long as it is looked at.
(() => {
    async function look() {
        const part = document.querySelector("[data-rg-poll]");
        if (!part) return;
        if (!document.hidden) {
            const answer = await fetch(part.dataset.rgPoll, { credentials: "same-origin" });
            if (answer.ok) {
                const made = new DOMParser().parseFromString(await answer.text(), "text/html");
                part.replaceWith(made.body.firstElementChild);
            }
        }
        setTimeout(look, 1000);
    }
    document.addEventListener("DOMContentLoaded", () => setTimeout(look, 1000));
})();
