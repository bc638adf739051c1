// What our scripts build pages of: elements, and a box to pick from a long list with.
"use strict";

window.Regulars = window.Regulars || {};

(() => {
    /** An element. Attributes: `class`, `data-…` and the like; functions listen (`onclick`); true
     *  stands alone and false, null and undefined are left out. */
    function element(tag, attributes = {}, ...children) {
        const made = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) {
            if (typeof value === "function") made.addEventListener(name.slice(2), value);
            else if (name === "value") made.value = value;
            else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
        }
        made.append(...children.flat().filter((child) => child != null && child !== false));
        return made;
    }

    /** A button with an icon; its label is for screen readers and the pointer that rests on it. */
    function iconButton(icon, label, onclick, attributes = {}) {
        const shown = element("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, icon);
        return element(
            "button",
            { type: "button", class: "rg-icon", title: label, "aria-label": label, onclick, ...attributes },
            shown,
        );
    }

    /** A select of `[value, label]` pairs. `empty` is what stands there while nothing is chosen. */
    function select(pairs, value, onchange, attributes = {}, empty = null) {
        const options = pairs.map(([key, label]) =>
            element("option", { value: key, selected: key === value }, label));
        if (!pairs.some(([key]) => key === value)) {
            options.unshift(element("option", { value: "", selected: true, disabled: true, hidden: true }, empty ?? ""));
        }
        return element(
            "select", { ...attributes, onchange: (event) => onchange(event.target.value) }, options,
        );
    }

    const ROOM = 360; // pixels that a list and a bar of buttons below it may take
    let lists = 0;

    /** A text box that finds options by part of their label (WAI-ARIA's combobox).
     *
     *  `options` are `{value, label, group, shown}` in the order to show; `shown` is what stands in the
     *  box where the label alone does not say enough. `pick` hears the value chosen; with `free` also
     *  whatever else was typed. With `adds` the box is emptied for the next one. */
    function combobox({ options, value = "", label, placeholder = "", free = false, adds = false, pick }) {
        const id = `rg-list-${++lists}`;
        const shownOf = (one) => one.shown ?? one.label;
        const labelOf = (key) => {
            const option = options.find((one) => one.value === key);
            return option ? shownOf(option) : key;
        };
        let current = value;
        let found = [];
        let active = -1;

        const input = element("input", {
            type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder,
            "aria-label": label, "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list",
            value: labelOf(current),
            onfocus: () => input.select(),
            onclick: () => open(""),
            oninput: () => open(input.value),
            onblur: () => leave(),
            onkeydown: (event) => press(event),
        });
        const list = element("ul", { id, role: "listbox", "aria-label": label, hidden: true });
        // The box keeps the focus while an option is pressed.
        list.addEventListener("mousedown", (event) => {
            event.preventDefault();
            const at = event.target.closest("[data-at]");
            if (at) take(found[at.dataset.at].value);
        });

        function open(typed) {
            const words = typed.toLocaleLowerCase().split(/\s+/).filter(Boolean);
            found = options.filter((one) => {
                const text = `${one.group ?? ""} ${one.label}`.toLocaleLowerCase();
                return words.every((word) => text.includes(word));
            }).slice(0, 300);
            active = found.length && words.length && !free ? 0 : -1;
            const shown = [];
            for (const [at, one] of found.entries()) {
                if (one.group && one.group !== found[at - 1]?.group) {
                    shown.push(element("li", { role: "presentation", class: "rg-option-group" }, one.group));
                }
                shown.push(element("li", {
                    role: "option", id: `${id}-${at}`, "data-at": at,
                    "aria-selected": one.value === current ? "true" : "false",
                }, one.label));
            }
            list.replaceChildren(...shown);
            list.hidden = !found.length;
            input.setAttribute("aria-expanded", String(!list.hidden));
            const { top, bottom } = input.getBoundingClientRect();
            list.classList.toggle("rg-above", innerHeight - bottom < ROOM && top > ROOM);
            mark();
        }

        function mark() {
            list.querySelector(".rg-active")?.classList.remove("rg-active");
            const option = document.getElementById(`${id}-${active}`);
            option?.classList.add("rg-active");
            option?.scrollIntoView({ block: "nearest" });
            if (option) input.setAttribute("aria-activedescendant", option.id);
            else input.removeAttribute("aria-activedescendant");
        }

        function close() {
            list.hidden = true;
            input.setAttribute("aria-expanded", "false");
            input.removeAttribute("aria-activedescendant");
        }

        function take(taken) {
            close();
            if (!adds) current = taken;
            input.value = adds ? "" : labelOf(taken);
            pick(taken);
        }

        function typed() {
            const text = input.value.trim();
            const like = (written) => written.toLocaleLowerCase() === text.toLocaleLowerCase();
            const same = options.find((one) => like(shownOf(one)) || like(one.value));
            return same ? same.value : free ? text : null;
        }

        function leave() {
            if (!input.isConnected) return;
            close();
            if (input.value === (adds ? "" : labelOf(current))) return;
            const left = typed();
            if (left === null) input.value = adds ? "" : labelOf(current);
            else if (left !== current) take(left);
        }

        function press(event) {
            const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (step) {
                event.preventDefault();
                if (list.hidden) open("");
                active = (active + step + found.length) % found.length || 0;
                mark();
            } else if (event.key === "Enter") {
                event.preventDefault(); // the form is not sent
                const chosen = !list.hidden && active >= 0 ? found[active].value : typed();
                if (chosen) take(chosen);
            } else if (event.key === "Escape" && !list.hidden) {
                event.stopPropagation();
                close();
                if (!free) input.value = adds ? "" : labelOf(current);
            }
        }

        return element("div", { class: "rg-combobox" }, input, list);
    }

    Object.assign(Regulars, { element, iconButton, select, combobox });
})();
