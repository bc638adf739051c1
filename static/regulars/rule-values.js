// The inputs for the values of rules, one entry each in `Regulars.rules.values`.
//
// An entry has `shows(value, about)`, whether its inputs can show the value (undefined: nothing yet);
// `make(value, about, change)`, the inputs, which call `change` with the value that they come to;
// `said(value, about)`, the value in a list of several; and `first`, with which a new condition starts.
// Inputs that still show what they were made with come to the very value they were made with, so
// that no spelling is lost by looking at it.
//
// `about` says of what the value is: `field`, `label` (for screen readers), `currency`, `words`,
// `digits` (decimals by currency), `timezone`, `suggestions` and whether only `days` are allowed.
"use strict";

(() => {
    const { element, iconButton, select, combobox } = Regulars;
    const DAY = /^\d{4}-\d\d-\d\d$/;
    const MOMENT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([.,]\d+)?(Z|[+-]\d\d:?\d\d)$/i;

    /** A text box that reads what is typed. */
    function box(value, shown, read, about, change, attributes = {}) {
        return element("input", {
            type: "text", autocomplete: "off", "aria-label": about.label, value: shown, ...attributes,
            oninput: (event) => {
                const typed = event.target.value;
                change(typed === shown ? value : read(typed.trim()));
            },
        });
    }

    const empty = (value) => value === undefined || value === null;
    const same = (value) => String(value ?? "");

    const text = {
        shows: (value) => empty(value) || typeof value === "string",
        said: same,
        make(value, about, change) {
            if (!about.suggestions) {
                return box(value, value ?? "", (typed) => typed || undefined, about, change, { class: "rg-grows" });
            }
            return combobox({
                options: about.suggestions, value: value ?? "", label: about.label, free: true,
                pick: (typed) => change(typed || undefined),
            });
        },
    };

    /** What a number is kept as: a text where JSON would not keep all of its digits. */
    function number(typed) {
        const plain = typed.replace(",", ".");
        if (!/^-?\d+(\.\d+)?$/.test(plain)) return typed || undefined;
        const read = Number(plain);
        const exact = plain.includes(".") ? plain.replace(/\D/g, "").length <= 15 : Number.isSafeInteger(read);
        return exact ? read : plain;
    }

    const numbers = {
        shows: (value) => empty(value) || typeof value === "number" || typeof value === "string",
        said: same,
        make: (value, about, change) =>
            box(value, same(value), number, about, change, { inputmode: "decimal", class: "rg-short" }),
    };

    const decimals = (about) => about.digits[about.currency] ?? 2;

    /** 4500 of GBP → 45.00. What was typed and is no amount stays as it was typed. */
    function amount(value, about) {
        if (!Number.isSafeInteger(value)) return same(value);
        const digits = decimals(about);
        const padded = String(Math.abs(value)).padStart(digits + 1, "0");
        const whole = padded.slice(0, padded.length - digits);
        return (value < 0 ? "-" : "") + whole + (digits ? `.${padded.slice(-digits)}` : "");
    }

    /** 45 or 45.00 of GBP → 4500. */
    function minor(typed, about) {
        const digits = decimals(about);
        const found = typed.replace(",", ".").match(/^(-?)(\d+)(?:\.(\d+))?$/);
        if (!found || (found[3] ?? "").length > digits) return typed || undefined;
        const read = Number(found[1] + found[2] + (found[3] ?? "").padEnd(digits, "0"));
        return Number.isSafeInteger(read) ? read : typed;
    }

    const money = {
        shows: (value) => empty(value) || Number.isSafeInteger(value) || typeof value === "string",
        said: (value, about) => `${amount(value, about)} ${about.currency}`,
        make: (value, about, change) => element(
            "span", { class: "rg-money" },
            box(value, amount(value, about), (typed) => minor(typed, about), about, change,
                { inputmode: "decimal", class: "rg-short" }),
            element("span", {}, about.currency),
        ),
    };

    const date = {
        shows: (value) => empty(value) || DAY.test(value),
        said: same,
        make: (value, about, change) =>
            box(value, value ?? "", (typed) => typed || undefined, about, change, { type: "date" }),
    };

    /** The clock in a time zone at a moment: [2026-04-07, 14:30:00]. */
    function clock(moment, zone) {
        const told = new Intl.DateTimeFormat("sv-SE", {
            timeZone: zone, dateStyle: "short", timeStyle: "medium",
        }).format(moment);
        return told.split(" ");
    }

    /** The moment at which the clock of a time zone shows this, with its offset. */
    function moment(day, time, zone) {
        const wanted = Date.parse(`${day}T${time}Z`);
        const offset = (at) => Date.parse(`${clock(at, zone).join("T")}Z`) - at;
        // Asked twice, for the nights in which clocks are changed.
        const shift = Math.round(offset(wanted - offset(wanted)) / 60000);
        const [hours, minutes] = [Math.floor(Math.abs(shift) / 60), Math.abs(shift) % 60];
        const two = (part) => String(part).padStart(2, "0");
        return `${day}T${time}${shift < 0 ? "-" : "+"}${two(hours)}:${two(minutes)}`;
    }

    const datetime = {
        shows: (value) => empty(value) || DAY.test(value)
            || (MOMENT.test(value) && !Number.isNaN(Date.parse(value))),
        said: same,
        make(value, about, change) {
            const shown = empty(value) ? ["", ""]
                : DAY.test(value) ? [value, ""] : clock(new Date(value), about.timezone);
            const read = () => {
                const [day, time] = [days.value, times.value];
                if (day === shown[0] && time === shown[1]) return change(value);
                if (!day) return change(undefined);
                return change(time ? moment(day, time.length === 5 ? `${time}:00` : time, about.timezone) : day);
            };
            const days = element("input", { type: "date", "aria-label": about.label, value: shown[0], oninput: read });
            const times = element("input", {
                type: "time", step: shown[1].endsWith(":00") || !shown[1] ? null : 1,
                "aria-label": `${about.label}: ${about.words.time}`, title: about.words.whole_day,
                value: shown[1].endsWith(":00") ? shown[1].slice(0, 5) : shown[1], oninput: read,
            });
            shown[1] = times.value;
            return element("span", { class: "rg-together" }, days, times);
        },
    };

    const boolean = {
        first: true,
        shows: (value) => empty(value) || typeof value === "boolean",
        said: (value, about) => about.words[value ? "yes" : "no"],
        make: (value, about, change) => select(
            [["true", about.words.yes], ["false", about.words.no]], String(value),
            (chosen) => change(chosen === "true"), { "aria-label": about.label },
        ),
    };

    const pairs = (about) => about.field.choices.map((one) => [one.value, one.label]);

    const choice = {
        shows: (value) => empty(value) || ["string", "number"].includes(typeof value),
        said: (value, about) => about.field.choices.find((one) => one.value === String(value))?.label
            ?? about.words.gone.replace("{value}", value),
        make(value, about, change) {
            const known = pairs(about);
            if (!empty(value) && !known.some(([key]) => key === String(value))) {
                known.push([String(value), choice.said(value, about)]);
            }
            const taken = (chosen) => change(chosen === same(value) ? value : chosen);
            if (known.length <= 20) {
                return select(known, same(value), taken, { "aria-label": about.label }, about.words.choose);
            }
            return combobox({
                options: known.map(([key, label]) => ({ value: key, label })), value: same(value),
                label: about.label, placeholder: about.words.choose, pick: taken,
            });
        },
    };

    const UNITS = ["Y", "M", "W", "D", "TH", "TM", "TS"];
    const SIMPLE = /^P(?:(\d+)([YMWD])|(T)(\d+)([HMS]))$/;

    /** P90D → ["90", "D"], PT12H → ["12", "TH"]. What has several units is shown as it is written. */
    function parts(value) {
        const found = same(value).match(SIMPLE);
        if (!found) return empty(value) ? ["", "D"] : [value, "ISO"];
        return found[1] ? [found[1], found[2]] : [found[4], `T${found[5]}`];
    }

    function duration(count, unit) {
        if (unit === "ISO" || !/^\d+$/.test(count)) return count || undefined;
        return unit[0] === "T" ? `PT${count}${unit[1]}` : `P${count}${unit}`;
    }

    const durations = {
        first: "P30D",
        shows: (value) => empty(value) || typeof value === "string",
        said: same,
        make(value, about, change) {
            const [count, unit] = parts(value);
            const read = () => change(
                counts.value === count && units.value === unit ? value : duration(counts.value.trim(), units.value));
            const counts = element("input", {
                type: "text", inputmode: "numeric", class: unit === "ISO" ? "rg-grows" : "rg-number",
                autocomplete: "off", "aria-label": about.label, value: count, oninput: read,
            });
            const offered = UNITS.filter((one) => one === unit || !(about.days && one[0] === "T"));
            const units = select(
                [...offered, "ISO"].map((one) => [one, about.words.units[one]]), unit, read,
                { "aria-label": `${about.label}: ${about.words.unit}` },
            );
            return element("span", { class: "rg-together" }, counts, units);
        },
    };

    const KINDS = { string: text, number: numbers, boolean };

    /** What a source wrote beside an activity: a text, a number, yes or no, as the rule says. */
    const any = {
        shows: (value) => empty(value) || typeof value in KINDS,
        said: (value, about) => typeof value === "boolean" ? boolean.said(value, about)
            : typeof value === "string" ? `“${value}”` : same(value),
        make(value, about, change) {
            const place = element("span", { class: "rg-together" });
            const show = (kind, now) => {
                const kinds = Object.keys(KINDS).map((one) => [one, about.words.kinds[one]]);
                const typed = KINDS[kind].make(now, { ...about, suggestions: null }, change);
                place.replaceChildren(
                    select(kinds, kind, (chosen) => {
                        const kept = chosen === kind ? now : KINDS[chosen].first;
                        show(chosen, kept);
                        change(kept);
                        place.querySelector("select").focus();
                    }, { "aria-label": `${about.label}: ${about.words.kind}` }),
                    typed,
                );
            };
            show(empty(value) ? "string" : typeof value, value);
            return place;
        },
    };

    /** Two values: the smallest and the largest. */
    const range = (one) => ({
        shows: (value, about) => empty(value)
            || (Array.isArray(value) && value.length === 2 && value.every((each) => one.shows(each, about))),
        make(value, about, change) {
            const ends = empty(value) ? [null, null] : [...value];
            const end = (at, word) => one.make(
                ends[at] ?? undefined, { ...about, label: `${about.label}: ${about.words[word]}` },
                (now) => {
                    ends[at] = now ?? null;
                    change(ends.every(empty) ? undefined : [...ends]);
                },
            );
            return element("span", { class: "rg-together" },
                end(0, "smallest"), element("span", {}, about.words.and), end(1, "largest"));
        },
    });

    /** Any number of values, as chips that can be taken away, and a place to add one. */
    const several = (one) => ({
        shows: (value, about) => empty(value)
            || (Array.isArray(value) && value.every((each) => !empty(each) && one.shows(each, about))),
        make(value, about, change) {
            const held = [...(value ?? [])];
            const chips = element("span", { class: "rg-chips" });
            const told = () => change(held.length ? [...held] : undefined);
            const add = (now) => {
                if (empty(now) || now === "" || held.some((each) => same(each) === same(now))) return;
                held.push(now);
                show();
                told();
            };
            const { place, focus } = adder(one, about, add);
            const show = () => chips.replaceChildren(...held.map((each, at) => {
                const name = one.said(each, about);
                const drop = () => {
                    held.splice(at, 1);
                    show();
                    told();
                    (chips.querySelectorAll("button")[at] ?? focus()).focus();
                };
                const label = about.words.take_away.replace("{value}", name);
                return element("span", { class: "rg-picked" }, name, iconButton("close", label, drop));
            }));
            show();
            return element("span", { class: "rg-several", role: "group", "aria-label": about.label }, chips, place);
        },
    });

    /** Where one more value is chosen or typed, and what to focus there. */
    function adder(one, about, add) {
        const options = one === choice
            ? pairs(about).map(([value, label]) => ({ value, label })) : about.suggestions;
        if (one === choice || one === text) {
            const place = combobox({
                options: options ?? [], label: about.words.add_to.replace("{field}", about.label),
                placeholder: one === choice ? about.words.choose : about.words.type_and_enter,
                free: one === text, adds: true, pick: add,
            });
            return { place, focus: () => place.querySelector("input") };
        }
        let typed;
        const place = element("span", { class: "rg-together" });
        const show = () => place.replaceChildren(
            one.make(undefined, about, (now) => { typed = now; }),
            iconButton("add", about.words.add_to.replace("{field}", about.label), take),
        );
        const focus = () => place.querySelector("input");
        function take() {
            add(typed);
            typed = undefined;
            show();
            focus().focus();
        }
        place.addEventListener("keydown", (event) => {
            if (event.key === "Enter" && event.target.matches("input")) {
                event.preventDefault();
                take();
            }
        });
        show();
        return { place, focus };
    }

    /** An amount, or comparisons with amounts that must all hold: `{"gte": 5000, "lt": 10000}`. */
    const comparisons = {
        shows: (value, about) => empty(value) || Number.isSafeInteger(value)
            || (typeof value === "object" && !Array.isArray(value) && Object.keys(value).length > 0
                && Object.entries(value).every(([name, each]) =>
                    about.comparisons.includes(name) && money.shows(each))),
        make(value, about, change) {
            const held = typeof value === "object" ? { ...value } : empty(value) ? {} : { eq: value };
            const place = element("span", { class: "rg-several" });
            const told = () => {
                const names = Object.keys(held);
                const asBefore = names.length === 1 && held.eq === value;
                change(asBefore ? value : names.length ? { ...held } : undefined);
            };
            const show = () => place.replaceChildren(...lines(), ...more());
            const lines = () => Object.keys(held).map((name) => element(
                "span", { class: "rg-together" },
                select(
                    about.comparisons.filter((one) => one === name || !(one in held))
                        .map((one) => [one, about.words.comparisons[one]]),
                    name,
                    (chosen) => {
                        const amount = held[name];
                        delete held[name];
                        held[chosen] = amount;
                        show();
                        told();
                    },
                    { "aria-label": `${about.label}: ${about.words.comparison}` },
                ),
                money.make(held[name] ?? undefined, about, (now) => {
                    held[name] = now ?? null;
                    told();
                }),
                iconButton("close", about.words.remove, () => {
                    delete held[name];
                    show();
                    told();
                    place.querySelector("button:last-of-type").focus();
                }),
            ));
            const more = () => {
                const free = about.comparisons.find((one) => !(one in held));
                return free === undefined ? [] : [element("button", {
                    type: "button", class: "rg-add",
                    onclick: () => {
                        held[free] = null;
                        show();
                        place.querySelector(".rg-together:last-of-type input").focus();
                    },
                }, about.words.add_amount)];
            };
            show();
            return place;
        },
    };

    Regulars.rules = Object.assign(Regulars.rules || {}, {
        values: { text, number: numbers, money, date, datetime, boolean, choice, duration: durations, any, comparisons },
        range,
        several,
    });
})();
