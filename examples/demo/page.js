// What the stand-in's page leaves out of modals: files to upload, conversations to choose, and what is chosen at first.
(() => {
  "use strict";
  const Socket = window.WebSocket;
  let stack = [];
  let channels = [];
  let treated = null; // the view whose fields were completed
  let home = ""; // what the page sent to be shown the bot's home
  let own = new Map(); // block id: a promise of the value of a field of ours

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

  const OWN = {
    file_input: (block) => {
      const input = field("input", { type: "file", multiple: (block.element.max_files ?? 10) > 1, accept: "image/*" });
      input.addEventListener("change", () => {
        const files = Promise.all([...input.files].map(upload)).then((files) => ({ type: "file_input", files }));
        files.catch((error) => input.setCustomValidity(String(error)));
        own.set(block.block_id, files);
      });
      return input;
    },
    conversations_select: (block) => {
      const select = field("select", {});
      select.append(new Option("Choose a channel", ""), ...channels.map(({ id, name }) => new Option(`#${name}`, id)));
      select.addEventListener("change", () =>
        own.set(block.block_id, Promise.resolve({ type: "conversations_select", selected_conversation: select.value || null })));
      return select;
    },
  };

  // What a field holds that nobody has touched.
  const untouched = ({ type, initial_value: text, initial_option: option, initial_options: options }) =>
    text !== undefined ? { type, value: text }
      : option ? { type, selected_option: option }
        : options ? { type, selected_options: options }
          : undefined;

  const inputs = () => (stack.at(-1)?.blocks ?? []).filter((block) => block.type === "input");

  const submitted = async (message) => {
    for (const { block_id: block, element } of inputs()) {
      const value = own.has(block) ? await own.get(block) : message.values?.[block]?.[element.action_id] ?? untouched(element);
      if (value) (message.values[block] ??= {})[element.action_id] = value;
    }
    return message;
  };

  window.WebSocket = class extends Socket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.t === "init") channels = message.state.channels.filter((channel) => !channel.is_im);
        if (message.t === "init") stack = message.state.modalStack;
        if (message.t === "view") stack = message.stack ?? [];
      });
    }

    send(data) {
      const message = JSON.parse(data);
      if (message.t === "open_home") home = data;
      if (message.t !== "view_submit") super.send(data);
      else submitted(message).then((whole) => super.send(JSON.stringify(whole)), (error) => alert(error));
      // The bot is not told that a button was in its home, so it does not know to show that anew.
      if (["block_action", "view_submit"].includes(message.t) && document.querySelector(".home")) {
        setTimeout(() => super.send(home), 1500);
      }
    }
  };

  const show = (node, { element }) => {
    const { initial_option: option } = element;
    if (!option) return;
    if (element.type === "static_select") {
      const select = node.querySelector("select");
      select.value = option.value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    } else {
      node.querySelectorAll("input")[element.options.findIndex(({ value }) => value === option.value)]?.click();
    }
  };

  // Slack writes these three as entities; the page would show them as they are written.
  const decoded = new WeakSet();
  const LETTERS = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

  const decode = (node) => {
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (!decoded.has(text) && /&(lt|gt|amp);/.test(text.data)) text.data = text.data.replace(/&(lt|gt|amp);/g, (found) => LETTERS[found]);
      decoded.add(text);
    }
  };

  const complete = () => {
    document.querySelectorAll(".mrkdwn").forEach(decode);
    for (const box of document.querySelectorAll("textarea[placeholder$='/echo hi']")) {
      box.placeholder = box.placeholder.replace("/echo hi", "/vsearch help");
    }
    const view = stack.at(-1);
    const nodes = document.querySelectorAll(".modal .bk-input");
    if (!view) treated = null;
    if (!view || view.id === treated || nodes.length !== inputs().length) return;
    treated = view.id;
    own = new Map();
    document.querySelectorAll(".modal .own").forEach((node) => node.remove());
    inputs().forEach((block, index) => {
      const make = OWN[block.element.type];
      if (make) {
        nodes[index].querySelector("select")?.classList.add("replaced");
        nodes[index].append(make(block));
      } else {
        // After the page has forgotten what was filled into the view before.
        setTimeout(() => show(nodes[index], block), 50);
      }
    });
  };

  new MutationObserver(complete).observe(document, { childList: true, subtree: true });
})();
