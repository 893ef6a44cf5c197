// Adds what the stand-in's page lacks: file inputs, channel menus, buttons and preselected options in modals, text
// fields in the bot's home, dates, tables in backticks, and answers to presses in threads on phones.
(() => {
  "use strict";
  const Socket = window.WebSocket;
  let stack = [];
  let channels = [];
  let completedView = null; // id of the view whose fields were completed
  let home = ""; // the page's last request for the bot's home
  let homeBlocks = []; // of the bot's home that the page shows
  let user = ""; // who the page last acted as
  let socket = null;
  let pressed = null; // the thread in which a button was pressed last: its channel and first message, and until when
  let addedValues = new Map(); // block id: promise of the value of a field that we added

  const field = (tag, attributes) => Object.assign(document.createElement(tag), { className: "own", ...attributes });

  const call = async (method, given) => {
    const answer = await (await fetch(`/api/${method}`, { method: "POST", body: new URLSearchParams(given) })).json();
    if (!answer.ok) throw new Error(`${method}: ${answer.error}`);
    return answer;
  };

  const upload = async (file) => {
    const { upload_url: address, file_id: id } = await call("files.getUploadURLExternal", { filename: file.name, length: file.size });
    await fetch(new URL(address).pathname, { method: "POST", body: file });
    return (await call("files.completeUploadExternal", { files: JSON.stringify([{ id }]) })).files[0];
  };

  const ADDED_FIELDS = {
    file_input: (block) => {
      const input = field("input", { type: "file", multiple: (block.element.max_files ?? 10) > 1, accept: "image/*" });
      input.addEventListener("change", () => {
        const files = Promise.all([...input.files].map(upload)).then((files) => ({ type: "file_input", files }));
        files.catch((error) => input.setCustomValidity(String(error)));
        addedValues.set(block.block_id, files);
      });
      return input;
    },
    conversations_select: (block) => {
      const select = field("select", {});
      select.append(new Option("Choose a channel", ""), ...channels.map(({ id, name }) => new Option(`#${name}`, id)));
      select.addEventListener("change", () =>
        addedValues.set(block.block_id, Promise.resolve({ type: "conversations_select", selected_conversation: select.value || null })));
      return select;
    },
  };

  // The value of a field that nobody has changed.
  const initialValue = ({ type, initial_value: text, initial_option: option, initial_options: options }) =>
    text !== undefined ? { type, value: text }
      : option ? { type, selected_option: option }
        : options ? { type, selected_options: options }
          : undefined;

  const inputs = () => (stack.at(-1)?.blocks ?? []).filter((block) => block.type === "input");

  const withAddedValues = async (message) => {
    for (const { block_id: block, element } of inputs()) {
      const value = addedValues.has(block) ? await addedValues.get(block) : message.values?.[block]?.[element.action_id] ?? initialValue(element);
      if (value) (message.values[block] ??= {})[element.action_id] = value;
    }
    return message;
  };

  // The page doesn't know thumbs, and shows nothing in their place. Ordinary buttons send the same.
  const THUMBS = { UP: "👍", DOWN: "👎" };
  const labelled = (thumb, { text }) => ({ ...text, text: `${thumb} ${text.text}` });

  const withButtons = (value) => {
    if (Array.isArray(value)) return value.map(withButtons);
    if (value === null || typeof value !== "object") return value;
    if (value.type !== "context_actions") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withButtons(one)]));
    const elements = value.elements.flatMap(({ action_id: id, positive_button: yes, negative_button: no }) => [
      { type: "button", action_id: `${id}:positive_button`, text: labelled(THUMBS.UP, yes), value: yes.value },
      { type: "button", action_id: `${id}:negative_button`, text: labelled(THUMBS.DOWN, no), value: no.value },
    ]);
    return { ...value, type: "actions", elements };
  };

  // The stand-in forgets that the answer to a press in a thread belongs there. On a phone, the thread would cover it.
  const COVERED_BELOW = 700;
  const ANSWERED_WITHIN_MS = 15000;

  const notePress = ({ channel, messageTs: ts }) => {
    const messages = [...document.querySelectorAll(".thread-pane .msg")];
    const isInThread = window.innerWidth <= COVERED_BELOW && messages.some(({ dataset }) => dataset.ts === ts);
    pressed = isInThread ? { channel, thread: messages[0].dataset.ts, until: Date.now() + ANSWERED_WITHIN_MS } : null;
  };

  const inThread = (event) => {
    const { t, message } = event;
    const isAnswer = t === "message" && message.subtype === "ephemeral" && !message.thread_ts;
    if (!isAnswer || message.channel !== pressed?.channel || Date.now() > pressed.until) return event;
    return { ...event, message: { ...message, thread_ts: pressed.thread } };
  };

  const shown = (listener) => (event) =>
    listener(new MessageEvent("message", { data: JSON.stringify(inThread(withButtons(JSON.parse(event.data)))) }));

  window.WebSocket = class extends Socket {
    constructor(...given) {
      super(...given);
      socket = this;
      this.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.t === "init") channels = message.state.channels.filter((channel) => !channel.is_im);
        if (message.t === "init") stack = message.state.modalStack;
        if (message.t === "view") stack = message.stack ?? [];
        if (message.t === "home") {
          homeBlocks = message.view?.blocks ?? [];
          // The page changes nothing if it shows the same home already.
          setTimeout(complete, 50);
        }
      });
    }

    set onmessage(listener) {
      super.onmessage = listener && shown(listener);
    }

    addEventListener(type, listener, ...given) {
      super.addEventListener(type, type === "message" ? shown(listener) : listener, ...given);
    }

    send(data) {
      const message = JSON.parse(data);
      if (message.t === "open_home") home = data;
      if (message.t === "block_action") notePress(message);
      user = message.user ?? user;
      if (message.t !== "view_submit") super.send(data);
      else withAddedValues(message).then((whole) => super.send(JSON.stringify(whole)), (error) => alert(error));
      // The page does not tell the bot that a button was in its home, so the bot does not update the home.
      if (["block_action", "view_submit"].includes(message.t) && document.querySelector(".home")) {
        setTimeout(() => super.send(home), 1500);
      }
    }
  };

  // The page's buttons in modals do nothing, and those with a confirmation dialog don't ask.
  const press = (view, block, element) => {
    const { title, text } = element.confirm ?? {};
    if (element.confirm && !confirm(`${title.text}\n\n${text.text}`)) return;
    const action = { ...element, block_id: block.block_id };
    socket.send(JSON.stringify({ t: "block_action", channel: "", messageTs: "", user, action, appId: view.app_id }));
  };

  const connectButtons = (view) => {
    const rows = view.blocks.filter((block) => block.type === "actions");
    document.querySelectorAll(".modal .bk-actions").forEach((row, index) => {
      const elements = rows[index]?.elements ?? [];
      row.querySelectorAll("button").forEach((node, place) => {
        if (elements[place]?.type === "button") node.addEventListener("click", () => press(view, rows[index], elements[place]));
      });
    });
  };

  // The page shows the type of a text field in the home instead of the field.
  const addHomeFields = () => {
    const blocks = homeBlocks.filter(({ type, element }) => type === "input" && element.type === "plain_text_input");
    document.querySelectorAll(".home .bk-input > .bk-unknown").forEach((node, index) => {
      const { element, block_id: block } = blocks[index] ?? {};
      if (!element) return;
      const input = field("input", { type: "text", placeholder: element.placeholder?.text ?? "", maxLength: element.max_length ?? 3000 });
      input.setAttribute("aria-label", blocks[index].label.text);
      input.addEventListener("keydown", ({ key }) => {
        if (key !== "Enter" || !input.value) return;
        const action = { type: element.type, action_id: element.action_id, block_id: block, value: input.value };
        socket.send(JSON.stringify({ t: "block_action", channel: "", messageTs: "", user, action, appId: JSON.parse(home).appId }));
      });
      node.replaceWith(input);
    });
  };

  const show = (node, { element }) => {
    const { initial_option: option } = element;
    if (!option && !element.initial_options) return;
    if (element.type === "static_select") {
      const select = node.querySelector("select");
      select.value = option.value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    } else if (element.type === "checkboxes") {
      element.options.forEach(({ value }, index) => {
        if (element.initial_options?.some((chosen) => chosen.value === value)) node.querySelectorAll("input")[index]?.click();
      });
    } else {
      node.querySelectorAll("input")[element.options.findIndex(({ value }) => value === option.value)]?.click();
    }
  };

  // Slack escapes these three characters in text. The page would show the escapes.
  const decoded = new WeakSet();
  const LETTERS = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

  // Slack writes dates in the reader's language and time zone.
  const DATE = /<!date\^(-?\d+)\^([^^|>]*)(?:\^[^|>]*)?\|([^>]*)>/g;

  const dated = (_, seconds, form, fallback) => {
    const moment = new Date(seconds * 1000);
    const minutes = Math.round((Date.now() - moment) / 60000);
    const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-minutes, "minute");
    const date = moment.toLocaleDateString("en-US", { month: "short", day: "numeric", year: "numeric" });
    const pretty = moment.toDateString() === new Date().toDateString() ? "today" : date;
    const dates = { "{date_short_pretty}": pretty, "{date_short}": date, "{ago}": ago };
    return form.replace(/{\w+}/g, (name) => dates[name] ?? name) || fallback;
  };

  const decode = (node) => {
    // The page doesn't know code blocks.
    if (node.textContent.startsWith("```")) node.classList.add("code-block");
    const isCode = node.classList.contains("code-block");
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (!decoded.has(text) && /&(lt|gt|amp);/.test(text.data)) text.data = text.data.replace(/&(lt|gt|amp);/g, (found) => LETTERS[found]);
      if (!decoded.has(text) && text.data.includes("<!date^")) text.data = text.data.replace(DATE, dated);
      if (!decoded.has(text) && isCode && text.data.includes("```")) text.data = text.data.replace(/^```\n?|\n?```$/g, "");
      decoded.add(text);
    }
  };

  // Slack shows text between three backticks as it is written, such as a table.
  const showFence = (node) => {
    const text = [...node.childNodes].map((child) => (child.nodeName === "BR" ? "\n" : child.textContent)).join("");
    const [, content] = text.match(/^```\n?([^`]+?)\n?```$/) ?? [];
    if (content) node.replaceChildren(Object.assign(document.createElement("pre"), { textContent: content }));
  };

  // As in Slack, thumbs are a small row of their own. Their labels are for screen readers.
  const showThumbs = (row) => {
    const found = [...row.querySelectorAll("button")];
    if (!found.length || !found.every((button) => Object.values(THUMBS).includes(button.textContent.split(" ")[0]))) return;
    row.classList.replace("bk-actions", "bk-thumbs");
    for (const button of found) {
      const [thumb, ...label] = button.textContent.split(" ");
      button.setAttribute("aria-label", label.join(" "));
      button.title = label.join(" ");
      button.firstChild.data = thumb;
    }
  };

  const complete = () => {
    document.querySelectorAll(".msg .bk-actions").forEach(showThumbs);
    document.querySelectorAll(".mrkdwn").forEach(decode);
    document.querySelectorAll(".mrkdwn").forEach(showFence);
    addHomeFields();
    document.querySelectorAll(".bk-overflow:not([title])").forEach((menu) => {
      menu.title = "More actions";
      // Without this, an option could be chosen only once.
      menu.addEventListener("change", () => setTimeout(() => (menu.value = "")));
    });
    for (const box of document.querySelectorAll("textarea[placeholder$='/echo hi']")) {
      box.placeholder = box.placeholder.replace("/echo hi", "/vsearch help");
    }
    const view = stack.at(-1);
    const nodes = document.querySelectorAll(".modal .bk-input");
    if (!view) completedView = null;
    if (!view || view.id === completedView || nodes.length !== inputs().length) return;
    completedView = view.id;
    connectButtons(view);
    addedValues = new Map();
    document.querySelectorAll(".modal .own").forEach((node) => node.remove());
    inputs().forEach((block, index) => {
      const make = ADDED_FIELDS[block.element.type];
      if (make) {
        nodes[index].querySelector("select")?.classList.add("replaced");
        nodes[index].append(make(block));
      } else {
        // The page first clears the values of the previous view.
        setTimeout(() => show(nodes[index], block), 50);
      }
    });
  };

  new MutationObserver(complete).observe(document, { childList: true, subtree: true });
})();
