/** The style sheets of the chat. The server makes this module of its CSS files, and so does the npm package. */
export const STYLES: readonly string[];
