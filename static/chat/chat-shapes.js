/** What the chat is made of, before anything is known. */

/** Characters. */
const LONGEST_NAME = 40;

export const JOIN = `
  <form class="join">
    <p class="error" id="error" role="alert" hidden></p>
    <label for="name">Your name</label>
    <input id="name" required maxlength="${LONGEST_NAME}" autocomplete="nickname" spellcheck="false" placeholder="As others see it">
    <button>Join</button>
  </form>`;

export const ROOM = `
  <section class="chat">
    <header>
      <h1 dir="auto"></h1>
      <button class="cases" type="button" hidden></button>
      <span class="count"></span>
      <button class="quiet count" type="button" aria-expanded="false" aria-controls="roster"></button>
      <p class="topic" dir="auto" hidden></p>
      <div class="pinned" hidden><small aria-hidden="true">Pinned</small></div>
    </header>
    <div class="scroller" tabindex="0" role="group" aria-label="Messages">
      <div>
        <p class="top"><button class="quiet earlier" type="button">Earlier messages</button><span hidden>The conversation begins here.</span></p>
        <div role="log" aria-label="Messages"><ol class="messages said"></ol></div>
        <ol class="messages waiting" aria-label="Not sent yet"></ol>
      </div>
    </div>
    <button class="newer" type="button" hidden></button>
    <aside class="roster" id="roster" aria-labelledby="roster-title" tabindex="-1">
      <h2 id="roster-title">People</h2>
      <ul class="people"></ul>
      <p class="hint" hidden></p>
      <div class="ignoring" hidden><h2>You ignore</h2><ul></ul></div>
      <button class="quiet rename" type="button">Change your name</button>
    </aside>
    <p class="barred" hidden></p>
    <p class="typing"></p>
    <p class="unseen" role="status"></p>
    <div class="notes">
      <div class="banner" hidden><span></span> <button class="quiet" type="button">Try now</button></div>
      <p class="told" hidden><span></span></p>
    </div>
    <form class="composer">
      <p class="error" id="unsendable" role="alert" hidden></p>
      <div class="aim" hidden><span id="aim"></span> <button class="quiet" type="button">Cancel</button></div>
      <label class="unseen" for="text">Message</label>
      <textarea id="text" rows="1" required enterkeyhint="send" autocomplete="off" placeholder="Say something"></textarea>
      <button class="send">Send</button>
      <p class="hint pace" hidden></p>
    </form>
    <div class="menu" role="menu" aria-label="Message actions" popover></div>
  </section>
  <dialog aria-labelledby="dialog-title">
    <div class="title"><h2 id="dialog-title"></h2><button class="quiet close" type="button">Close</button></div>
    <div class="body"></div>
  </dialog>`;
