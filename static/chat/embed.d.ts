// The types of /static/embed.js, which turns elements with `data-livechat` into a chat, and exports nothing.

export {};
