// The board of custom fields, and what a tighter rule would mean. Everything works without it, by
// forms; with it nothing is loaded anew.
"use strict";

(() => {
    // The board

    let dragged = null;

    const board = () => document.getElementById("rg-board");

    async function send(body, focus) {
        const token = document.querySelector("#rg-board [name=csrfmiddlewaretoken]");
        if (token && !body.has("csrfmiddlewaretoken")) body.set("csrfmiddlewaretoken", token.value);
        const answer = await fetch(board().dataset.url, {
            method: "POST", body, headers: { "X-Requested-With": "fetch" }, credentials: "same-origin",
        });
        if (!answer.ok && answer.status !== 422) {
            window.location.reload();
            return;
        }
        const made = new DOMParser().parseFromString(await answer.text(), "text/html");
        board().replaceWith(made.getElementById("rg-board"));
        begin();
        if (answer.ok) board().querySelector("[data-status]").textContent = board().dataset.moved;
        const target = focus.map((id) => document.getElementById(id)).find((one) => one?.checkVisibility());
        target?.focus();
    }

    function begin() {
        const add = board()?.querySelector("[data-add-group]");
        if (add) add.hidden = false;
    }

    document.addEventListener("submit", (event) => {
        if (!event.target.closest("#rg-board")) return;
        event.preventDefault();
        const body = new FormData(event.target);
        const focus = [document.activeElement?.id, `move-${body.get("field")}`].filter(Boolean);
        send(body, focus);
    });

    document.addEventListener("toggle", (event) => {
        if (!event.target.matches?.(".rg-menu") || !event.target.open) return;
        document.querySelectorAll(".rg-menu[open]").forEach((one) => { if (one !== event.target) one.open = false; });
    }, true);

    document.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        const open = document.querySelector(".rg-menu[open]");
        if (!open) return;
        open.open = false;
        open.querySelector("summary").focus();
    });

    document.addEventListener("click", (event) => {
        document.querySelectorAll(".rg-menu[open]").forEach((one) => { if (!one.contains(event.target)) one.open = false; });
        const add = event.target.closest("[data-add-group]");
        if (!add) return;
        const section = document.createElement("section");
        section.className = "rg-group rg-new-group";
        const input = document.createElement("input");
        input.maxLength = 80;
        input.placeholder = board().dataset.newGroup;
        input.setAttribute("aria-label", board().dataset.newGroup);
        const header = document.createElement("header");
        header.append(input);
        section.append(header, document.createElement("ul"));
        input.addEventListener("input", () => { section.dataset.group = input.value.trim(); });
        section.dataset.group = "";
        add.before(section);
        input.focus();
    });

    document.addEventListener("dragstart", (event) => {
        dragged = event.target.closest?.(".rg-field[draggable]") ?? null;
        if (!dragged) return;
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", dragged.dataset.field);
        dragged.classList.add("rg-dragged");
    });

    document.addEventListener("dragover", (event) => {
        const section = event.target.closest?.(".rg-group[data-group]");
        if (!dragged || !section) return;
        event.preventDefault();
        const list = section.querySelector("ul");
        const below = [...list.querySelectorAll(".rg-field:not(.rg-dragged)")].find((one) => {
            const box = one.getBoundingClientRect();
            return event.clientY < box.top + box.height / 2;
        });
        if (below) below.before(dragged);
        else list.append(dragged);
    });

    document.addEventListener("drop", (event) => {
        if (!dragged) return;
        event.preventDefault();
        const section = dragged.closest("[data-group]");
        const body = new FormData();
        body.set("field", dragged.dataset.field);
        body.set("group", section.dataset.group);
        body.set("after", dragged.previousElementSibling?.dataset.field ?? "");
        dragged.dropped = true;
        send(body, [`move-${dragged.dataset.field}`]);
    });

    document.addEventListener("dragend", () => {
        const one = dragged;
        dragged = null;
        one?.classList.remove("rg-dragged");
        // Let go outside of every group: back to where it was.
        if (one && !one.dropped) window.location.reload();
    });

    // What a tighter rule would mean

    const slot = () => document.querySelector("[data-rg-impact]");
    const RULES = ["required", "unique", "minimum", "maximum", "pattern"];
    let waiting = 0;
    let asked = 0;

    async function ask() {
        const form = slot().closest("form");
        const told = new URLSearchParams();
        for (const rule of RULES) {
            const input = form.elements[rule];
            if (!input) continue;
            if (input.type === "checkbox") { if (input.checked) told.set(rule, "on"); }
            else if (input.value.trim()) told.set(rule, input.value.trim());
        }
        for (const row of form.querySelectorAll("[name^=options-][name$=-DELETE]:checked")) {
            const value = form.elements[row.name.replace("-DELETE", "-value")]?.value;
            if (value) told.append("gone", value);
        }
        const number = ++asked;
        const answer = await fetch(`${slot().dataset.url}?${told}`, { headers: { "X-Requested-With": "fetch" }, credentials: "same-origin" });
        if (answer.ok && number === asked) slot().innerHTML = await answer.text();
    }

    document.addEventListener("input", (event) => {
        if (!slot() || !slot().closest("form").contains(event.target)) return;
        if (!RULES.includes(event.target.name) && !/^options-.*-(DELETE|value)$/.test(event.target.name ?? "")) return;
        clearTimeout(waiting);
        waiting = setTimeout(ask, 300);
    });

    document.addEventListener("DOMContentLoaded", begin);
})();
