/**
 * The style sheets of the chat, by the names of their files. The server makes this module of them, and so does the
 * npm package.
 */
export const STYLES: Readonly<Record<string, string>>;
