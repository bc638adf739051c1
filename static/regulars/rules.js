// The builder of rules: it is put on each `textarea[data-rules]`, which stays what is posted.
//
// `Regulars.rules.attach(root)` does so in HTML that was inserted later. The rule is edited in place,
// as the JSON that it is (docs/rules.md): what the builder cannot show stays as it was written.
"use strict";

(() => {
    const { element, iconButton, select, combobox } = Regulars;
    const { values, range, several } = Regulars.rules;
    const KINDS = ["all", "any", "none"];
    const DEEPEST = 8;
    const PATIENCE = 400; // milliseconds after the last change until the rule is asked about
    const SHOWN = 5;
    const PARTS = ["contains", "not_contains", "starts_with"];

    const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
    const kindOf = (node) => KINDS.find((kind) => Array.isArray(node[kind]));
    const isGroup = (node) => isObject(node) && Object.keys(node).length === 1 && kindOf(node) !== undefined;

    /** Raises SyntaxError: also for a whole number that JavaScript would not keep. */
    function parse(text, words) {
        return JSON.parse(text, (key, value) => {
            if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new SyntaxError(words.too_large);
            return value;
        });
    }

    /** What rules may speak of, as the admin tells it, and how each value is edited. */
    class Vocabulary {
        constructor(told) {
            Object.assign(this, told);
            const { activities, activityData: data } = told;
            const counted = { ...activities, group: activities.label, type: "activities", choices: [] };
            this.all = [...told.fields, counted];
            if (data) {
                const group = told.fields.find((field) => field.field.startsWith("activity."))?.group;
                this.data = { ...data, field: data.prefix, label: this.words.data, group, type: "any", choices: [] };
                this.all.push(this.data);
            }
            this.byName = new Map(this.all.map((field) => [field.field, field]));
            // Each group once, where the first of it is.
            const groups = [...new Set(this.all.map((field) => field.group))];
            this.all.sort((one, other) => groups.indexOf(one.group) - groups.indexOf(other.group));
            const doubtful = ({ label }) => this.all.filter((other) => other.label === label).length > 1;
            this.options = this.all.map((field) => ({
                value: field.field, label: field.label, group: field.group,
                shown: doubtful(field) ? `${field.group}: ${field.label}` : field.label,
            }));
        }

        /** The field of this name; one of another currency is like the field of the own. */
        field(name) {
            if (this.byName.has(name)) return this.byName.get(name);
            if (this.data && name.startsWith(this.data.field)) return this.data;
            const currency = name.match(/^contact\.(spend|credit)ByCurrency\.[A-Z]{3}$/);
            if (!currency) return undefined;
            const own = this.byName.get(currency[1] === "spend" ? "contact.totalSpend" : "contact.credit");
            return own && { ...own, field: name, label: `${own.label} (${name.slice(-3)})` };
        }

        operator(node) {
            return this.field(node.field)?.operators.find((one) => one.operator === node.operator);
        }

        editor(field, operator) {
            const item = values[field.type] ?? values.text;
            if (operator.value === "none") return null;
            if (operator.value === "range") return range(item);
            if (operator.value === "choices") return several(values.choice);
            if (operator.value === "texts") return several(item);
            if (field.type === "any") return PARTS.includes(operator.operator) ? values.text : values.any;
            return values[operator.value];
        }

        about(node, label) {
            const field = this.field(node.field);
            const currency = node.field.match(/ByCurrency\.([A-Z]{3})$/)?.[1] ?? node.where?.currencyCode;
            return {
                field, label: label ?? field.label, words: this.words, digits: this.digits, timezone: this.timezone,
                currency: typeof currency === "string" ? currency.toUpperCase() : this.currency,
                suggestions: this.suggestionsFor(node.field), days: field.type === "date",
                comparisons: this.activities.where.spend,
            };
        }

        suggestionsFor(name) {
            if (name === "activity.type") return this.activities.where.type;
            if (name.startsWith("activity.") && /currencyCode$/.test(name)) return this.suggestions.currencies;
            return this.suggestions[name] ?? null;
        }

        /** What is asked of the activities to count: key, its inputs, what they are about. */
        where(node) {
            const about = (key, more = {}) => ({ ...this.about(node, this.words.where[key]), suggestions: null, ...more });
            const types = this.activities.where.type;
            return [
                ["type", several(values.choice), about("type", { field: { choices: types } })],
                ["within", values.duration, about("within")],
                ["source", several(values.text), about("source")],
                ["spend", values.comparisons, about("spend")],
                ["currencyCode", values.text, about("currencyCode", { suggestions: this.suggestions.currencies })],
            ];
        }

        /** Whether the builder has inputs for all that a condition says. */
        shows(node) {
            if (!isObject(node) || typeof node.field !== "string") return false;
            const operator = this.operator(node);
            const keys = ["field", "operator", "value", ...(node.field === this.activities.field ? ["where"] : [])];
            if (!operator || Object.keys(node).some((key) => !keys.includes(key))) return false;
            const editor = this.editor(this.field(node.field), operator);
            const fits = editor ? editor.shows(node.value, this.about(node)) : node.value === undefined;
            return fits && this.showsWhere(node);
        }

        showsWhere(node) {
            if (node.where === undefined) return true;
            if (!isObject(node.where)) return false;
            const known = this.where(node);
            return Object.keys(node.where).every((key) => known.some(([name]) => name === key))
                && known.every(([key, editor, about]) => editor.shows(listed(key, node.where[key]), about));
        }
    }

    /** A type or a source may be written alone or in a list; it is edited as a list. */
    const listed = (key, value) => typeof value === "string" && ["type", "source"].includes(key) ? [value] : value;

    class Builder {
        constructor(textarea, vocabulary) {
            this.textarea = textarea;
            this.vocabulary = vocabulary;
            this.words = vocabulary.words;
            this.about = textarea.dataset.about.split(" ");
            this.errors = {};
            this.asked = 0;
            this.label = textarea.labels?.[0]?.textContent.trim().replace(/[*:]$/, "") || this.words.rule;
            this.build();
        }

        build() {
            this.tree = element("div", { class: "rg-rule-tree" });
            this.notice = element("p", { class: "rg-rule-error", role: "alert" });
            this.preview = element("div", { class: "rg-rule-preview", "aria-live": "polite" });
            this.toggle = element("button", {
                type: "button", class: "rg-add rg-rule-toggle", onclick: () => this.flip(),
            });
            this.root = element(
                "div", { class: "rg-rules", role: "group", "aria-label": this.label },
                this.tree, this.notice, element("div", { class: "rg-rule-foot" }, this.preview, this.toggle),
            );
            this.textarea.before(this.root);
            // What was refused is asked about at once, and said where it is.
            for (const told of this.root.parentElement.querySelectorAll("[data-rule-place]")) {
                (told.closest("li") ?? told).hidden = true;
            }
            this.textarea.addEventListener("input", () => this.soon());
            this.showTree(true);
            this.ask();
        }

        // Between the two ways of editing

        flip() {
            if (this.textarea.hidden) this.showTree(false);
            else if (!this.showTree(true)) this.textarea.focus();
        }

        /** Show the builder, or the JSON where that is wanted or cannot be read. */
        showTree(wanted) {
            const read = wanted && this.read();
            this.textarea.hidden = Boolean(read);
            this.tree.hidden = !read;
            this.toggle.textContent = read ? this.words.edit_json : this.words.edit_builder;
            if (!wanted) this.notice.textContent = "";
            if (read) this.render();
            return read;
        }

        read() {
            try {
                const data = parse(this.textarea.value.trim() || '{"all": []}', this.words);
                // A condition that stands alone stays alone until it gets company.
                this.alone = !isGroup(data);
                this.rule = this.alone ? { all: [data] } : data;
                this.notice.textContent = "";
                return true;
            } catch (error) {
                this.notice.textContent = this.words.unreadable.replace("{reason}", error.message);
                return false;
            }
        }

        get isAlone() {
            return this.alone && this.rule.all?.length === 1 && !isGroup(this.rule.all[0]);
        }

        write() {
            this.textarea.value = JSON.stringify(this.isAlone ? this.rule.all[0] : this.rule, null, 2);
            for (const type of ["input", "change"]) this.textarea.dispatchEvent(new Event(type, { bubbles: true }));
        }

        // Drawing

        /** Draw the rule anew; `focused` is the node where one goes on, and what of it. */
        render(focused = null, what = "input, select, textarea, button") {
            this.tree.replaceChildren(this.group(this.rule, null, "", 1));
            this.showErrors();
            if (focused) this.elementOf(focused)?.querySelector(what)?.focus();
        }

        elementOf(node) {
            return [...this.tree.querySelectorAll("[data-path]")].find((one) => one.node === node);
        }

        changed(focused, what) {
            this.write();
            this.render(focused, what);
        }

        /** Draw one condition anew. */
        redraw(node, what) {
            this.write();
            const before = this.elementOf(node);
            const drawn = this.condition(node, this.parentOf(node), before.dataset.path);
            before.replaceWith(drawn);
            drawn.querySelector(what).focus();
        }

        group(node, parent, path, depth) {
            const kind = kindOf(node);
            const members = node[kind];
            const chosen = (now) => {
                node[now] = members;
                delete node[kind];
                this.changed(node, "select");
            };
            const add = (member) => {
                members.push(member);
                this.changed(member);
            };
            const kinds = select(KINDS.map((one) => [one, this.words.groups[one]]), kind, chosen,
                { "aria-label": this.words.group });
            const inner = members.map((member, at) => {
                const place = `${path ? `${path}.` : ""}${kind}.${at}`;
                const drawn = isGroup(member)
                    ? this.group(member, node, place, depth + 1) : this.condition(member, node, place);
                return element("li", {}, drawn);
            });
            const drawn = element(
                "div", { class: "rg-rule-group", role: "group", "aria-label": this.words.groups[kind], "data-path": path },
                element("div", { class: "rg-rule-head" }, kinds, parent && this.tools(node, parent)),
                members.length ? element("ul", {}, inner)
                    : element("p", { class: "rg-rule-hint" }, this.words.empty[kind]),
                element("p", { class: "rg-rule-error" }),
                element("div", { class: "rg-rule-adds" },
                    this.adder(this.words.add_condition, () => add({ field: "", operator: "" })),
                    depth < DEEPEST && this.adder(this.words.add_group, () => {
                        const fresh = { field: "", operator: "" };
                        members.push({ [kind === "all" ? "any" : "all"]: [fresh] });
                        this.changed(fresh);
                    })),
            );
            drawn.node = node;
            return drawn;
        }

        adder(label, onclick) {
            return element("button", { type: "button", class: "rg-add", onclick }, label);
        }

        condition(node, parent, path) {
            const shown = isObject(node) && (node.field === "" || this.vocabulary.shows(node));
            const drawn = element(
                "div", { class: "rg-rule-row", role: "group", "aria-label": this.words.condition, "data-path": path },
                element("div", { class: "rg-rule-inputs" }, shown ? this.inputs(node) : this.written(node, parent)),
                this.tools(node, parent),
                element("p", { class: "rg-rule-error", "aria-live": "polite" }),
            );
            drawn.node = node;
            return drawn;
        }

        inputs(node) {
            const field = this.vocabulary.field(node.field);
            const drawn = [combobox({
                options: this.optionsWith(field), value: field?.field ?? "", label: this.words.field,
                placeholder: this.words.search, pick: (name) => this.chooseField(node, name),
            })];
            if (!field) return drawn;
            if (field === this.vocabulary.data) drawn.push(this.path(node));
            const operators = field.operators.map((one) => [one.operator, one.label]);
            drawn.push(select(operators, node.operator, (name) => this.chooseOperator(node, name),
                { "aria-label": this.words.operator, class: "rg-operator" }));
            const editor = this.vocabulary.editor(field, this.vocabulary.operator(node));
            if (editor) {
                drawn.push(editor.make(node.value, this.vocabulary.about(node), (now) => this.put(node, "value", now)));
            }
            if (node.field === this.vocabulary.activities.field) drawn.push(this.where(node));
            return drawn;
        }

        optionsWith(field) {
            const { options, byName } = this.vocabulary;
            if (!field || byName.has(field.field)) return options;
            return [{ value: field.field, label: field.label, group: field.group }, ...options];
        }

        /** Where in the data of the activity to look. */
        path(node) {
            const prefix = this.vocabulary.data.field;
            return element("input", {
                type: "text", "aria-label": this.words.path, placeholder: "room.number", spellcheck: "false",
                value: node.field.slice(prefix.length),
                oninput: (event) => this.put(node, "field", prefix + event.target.value.trim()),
            });
        }

        where(node) {
            const lines = this.vocabulary.where(node).map(([key, editor, about]) => {
                const given = node.where?.[key];
                const change = (now) => {
                    const alone = typeof given === "string" && Array.isArray(now) && now.length === 1;
                    this.putWhere(node, key, alone ? now[0] : now);
                };
                return element("div", { class: "rg-rule-where" },
                    element("span", { "aria-hidden": "true" }, about.label),
                    editor.make(listed(key, given), about, change));
            });
            const rare = ["source", "spend", "currencyCode"].some((key) => node.where?.[key] != null);
            return element("div", { class: "rg-rule-wheres" }, lines.slice(0, 2), element(
                "details", { open: rare },
                element("summary", {}, this.words.more),
                element("div", { class: "rg-rule-wheres" }, lines.slice(2)),
            ));
        }

        /** What there are no inputs for, as it is written. */
        written(node, parent) {
            const box = element("textarea", {
                rows: 3, spellcheck: "false", "aria-label": this.words.as_json, value: JSON.stringify(node),
                onchange: () => {
                    const members = parent[kindOf(parent)];
                    try {
                        const read = parse(box.value, this.words);
                        members[members.indexOf(node)] = read;
                        this.changed(read);
                    } catch (error) {
                        box.setCustomValidity(error.message);
                        box.reportValidity();
                    }
                },
                oninput: () => box.setCustomValidity(""),
            });
            return [element("p", { class: "rg-rule-hint" }, this.words.kept), box];
        }

        tools(node, parent) {
            const button = (icon, label, act) => iconButton(icon, this.words[label], act, { "data-tool": label });
            return element("div", { class: "rg-rule-tools" },
                button("arrow_upward", "move_up", () => this.move(node, parent, -1)),
                button("arrow_downward", "move_down", () => this.move(node, parent, 1)),
                button("delete", "remove", () => this.remove(node, parent)));
        }

        // Changing

        put(node, key, value) {
            if (value === undefined) delete node[key];
            else node[key] = value;
            this.write();
        }

        putWhere(node, key, value) {
            const { [key]: _before, ...others } = node.where ?? {};
            const now = value === undefined ? others : { ...node.where, [key]: value };
            // Money is shown with its currency.
            const focus = key === "currencyCode" && node.where?.currencyCode !== value;
            this.put(node, "where", Object.keys(now).length ? now : undefined);
            if (focus) this.redraw(node, ".rg-rule-where:last-child input");
        }

        chooseField(node, name) {
            const field = this.vocabulary.field(name);
            node.field = name;
            if (name !== this.vocabulary.activities.field) delete node.where;
            const kept = field.operators.some((one) => one.operator === node.operator);
            this.setOperator(node, kept ? node.operator : field.operators[0].operator);
            this.redraw(node, ".rg-operator");
        }

        chooseOperator(node, name) {
            this.setOperator(node, name);
            this.redraw(node, ".rg-operator");
        }

        /** The value stays where the operator can have it: one of a list alone, one alone as a list. */
        setOperator(node, name) {
            node.operator = name;
            const { value } = node;
            const editor = this.vocabulary.editor(this.vocabulary.field(node.field), this.vocabulary.operator(node));
            const about = this.vocabulary.about(node);
            const like = value === undefined ? [] : [value, [value], Array.isArray(value) ? value[0] : undefined];
            const kept = editor && like.find((one) => one !== undefined && editor.shows(one, about));
            this.set(node, kept ?? editor?.first);
        }

        set(node, value) {
            if (value === undefined) delete node.value;
            else node.value = value;
        }

        remove(node, parent) {
            const members = parent[kindOf(parent)];
            const at = members.indexOf(node);
            members.splice(at, 1);
            const next = members[at] ?? members[at - 1];
            if (next) this.changed(next);
            else this.changed(parent, ".rg-rule-adds button");
        }

        /** One place up or down: into a group that stands there, and out of its own at the edge. */
        move(node, parent, step) {
            const members = parent[kindOf(parent)];
            const at = members.indexOf(node);
            const beside = members[at + step];
            const above = beside === undefined ? this.parentOf(parent) : null;
            if (beside === undefined && !above) return;
            members.splice(at, 1);
            if (above) {
                const outer = above[kindOf(above)];
                outer.splice(outer.indexOf(parent) + (step > 0 ? 1 : 0), 0, node);
            } else if (isGroup(beside)) {
                const inner = beside[kindOf(beside)];
                inner.splice(step > 0 ? 0 : inner.length, 0, node);
            } else {
                members.splice(at + step, 0, node);
            }
            this.changed(node, `[data-tool=${step < 0 ? "move_up" : "move_down"}]`);
        }

        parentOf(wanted, within = this.rule) {
            const members = within[kindOf(within)];
            if (members.includes(wanted)) return within;
            for (const member of members.filter(isGroup)) {
                const found = this.parentOf(wanted, member);
                if (found) return found;
            }
            return null;
        }

        // What the server says of it

        soon() {
            clearTimeout(this.timer);
            this.timer = setTimeout(() => this.ask(), PATIENCE);
        }

        async ask() {
            const number = ++this.asked;
            this.root.toggleAttribute("data-asking", true);
            const told = await this.tell().catch(() => null);
            if (number !== this.asked || !this.root.isConnected) return; // a newer question is out
            this.root.toggleAttribute("data-asking", false);
            this.errors = told?.errors ?? {};
            this.showErrors();
            this.showPreview(told);
        }

        async tell() {
            let rules;
            try {
                rules = JSON.parse(this.textarea.value.trim() || '{"all": []}');
            } catch (error) {
                return { errors: { "": [this.words.unreadable.replace("{reason}", error.message)] } };
            }
            const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
            const answer = await fetch(this.textarea.dataset.preview, {
                method: "POST",
                headers: { "Content-Type": "application/json", "X-CSRFToken": token },
                body: JSON.stringify({ rules, about: this.about }),
            });
            return answer.ok ? answer.json() : null;
        }

        /** Each beside the condition or group that it speaks of, else below the whole. */
        showErrors() {
            const places = [...this.tree.querySelectorAll("[data-path]")];
            for (const one of places) one.querySelector(":scope > .rg-rule-error").textContent = "";
            const rest = [];
            for (const [path, messages] of Object.entries(this.errors)) {
                const full = this.isAlone ? `all.0.${path}` : path;
                const place = this.tree.hidden ? null : places
                    .filter((one) => one.dataset.path && `${full}.`.startsWith(`${one.dataset.path}.`)).at(-1);
                if (place) place.querySelector(":scope > .rg-rule-error").append(this.sentence(place.node, messages));
                else rest.push(...messages.map((message) => this.tree.hidden && path ? `${path}: ${message}` : message));
            }
            this.notice.textContent = rest.join(" ");
        }

        sentence(node, messages) {
            return node.field === "" ? this.words.choose_field : `${messages.join(" ")} `;
        }

        showPreview(told) {
            const link = (one) => element("a", { href: one.url }, one.name);
            const contacts = (told?.contacts ?? []).slice(0, SHOWN).map((one) => element("li", {}, link(one)));
            this.preview.replaceChildren();
            if (!told) this.preview.append(this.words.no_answer);
            if (told?.said) this.preview.append(element("strong", {}, told.said));
            if (contacts.length) this.preview.append(element("ul", {}, contacts));
        }
    }

    const vocabularies = new Map();

    /** Fetched once for all builders of a page. */
    function vocabulary(address) {
        if (!vocabularies.has(address)) {
            const told = fetch(address).then((answer) => {
                if (!answer.ok) throw new Error(answer.statusText);
                return answer.json();
            });
            vocabularies.set(address, told.then((read) => new Vocabulary(read)));
        }
        return vocabularies.get(address);
    }

    /** Put a builder on every rule within `root` that has none. Answers when they are there; where
     *  that does not work, the JSON stays. */
    function attach(root = document) {
        const bare = [...root.querySelectorAll("textarea[data-rules]:not([data-built])")];
        return Promise.all(bare.map(async (textarea) => {
            textarea.dataset.built = "";
            try {
                const told = await vocabulary(textarea.dataset.fields);
                if (textarea.isConnected) new Builder(textarea, told);
            } catch (error) {
                console.warn(error);
            }
        }));
    }

    Regulars.rules.attach = attach;
    document.addEventListener("DOMContentLoaded", () => attach());
})();
