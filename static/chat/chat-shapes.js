/** The elements of the chat, before anything is known; `fill` of texts.js says their texts. */

/** Characters. */
const LONGEST_NAME = 40;

export const JOIN = `
  <div class="join">
    <section class="about" part="about">
      <h1 dir="auto"></h1>
      <p class="hint unconfirmed" hidden></p>
      <p class="facts" role="status"></p>
      <div class="lately">
        <ol class="last" data-t-aria-label="entrance.last" tabindex="0" hidden></ol>
        <p class="hint silent" data-t="entrance.silent" hidden></p>
      </div>
    </section>
    <form>
      <p class="error" id="error" role="alert" hidden></p>
      <label for="name" data-t="join.name"></label>
      <input id="name" required maxlength="${LONGEST_NAME}" autocomplete="nickname" spellcheck="false" data-t-placeholder="join.hint">
      <button data-t="join.enter"></button>
    </form>
  </div>`;

export const MISNAMED = `
  <div class="join">
    <p class="error" role="alert" data-t="entrance.fault"></p>
    <p class="hint"></p>
  </div>`;

export const NAMING = `
  <form class="naming">
    <label class="unseen" for="new-name" data-t="join.name"></label>
    <input id="new-name" required maxlength="${LONGEST_NAME}" autocomplete="nickname" spellcheck="false" aria-describedby="misnamed">
    <button data-t="composer.save"></button>
    <button class="quiet cancel" type="button" data-t="composer.cancel"></button>
    <p class="error" id="misnamed" role="alert" hidden></p>
  </form>`;

export const ROOM = `
  <section class="chat">
    <header part="header">
      <h1 dir="auto"></h1>
      <button class="cases" type="button" hidden></button>
      <span class="count"></span>
      <button class="quiet count" type="button" aria-expanded="false" aria-controls="roster"></button>
      <button class="quiet rename" type="button" hidden></button>
      <div class="unconfirmed" hidden><span></span> <button class="quiet" type="button" data-t="invite.keep"></button></div>
      <p class="topic" dir="auto" hidden></p>
      <div class="pinned" hidden><small aria-hidden="true" data-t="room.pinned"></small></div>
    </header>
    <div class="scroller" part="log" tabindex="0" role="group" data-t-aria-label="room.messages">
      <div>
        <p class="top"><button class="quiet earlier" type="button" data-t="room.earlier"></button><span hidden data-t="room.begins"></span></p>
        <div role="log" data-t-aria-label="room.messages"><ol class="messages said"></ol></div>
        <ol class="messages waiting" data-t-aria-label="room.waiting"></ol>
      </div>
    </div>
    <button class="newer" type="button" hidden></button>
    <aside class="roster" part="roster" id="roster" aria-labelledby="roster-title" tabindex="-1">
      <h2 id="roster-title" data-t="room.people"></h2>
      <ul class="people"></ul>
      <p class="hint" hidden></p>
      <div class="ignoring" hidden><h2 data-t="room.ignored"></h2><ul></ul></div>
      <div class="room-acts">
        <button class="quiet invite" type="button" data-t="invite.copy" hidden></button>
        <button class="quiet leave" type="button" data-t="invite.leave" hidden></button>
        <button class="quiet to-day" type="button" data-t="days.jump"></button>
      </div>
      <fieldset class="calls-by">
        <legend data-t="calls.title"></legend>
        <label class="check"><input type="checkbox" name="sound"><span data-t="calls.sound"></span></label>
        <label class="check"><input type="checkbox" name="notification"><span data-t="calls.notification"></span></label>
        <p class="hint" role="alert" hidden></p>
      </fieldset>
    </aside>
    <p class="barred" hidden></p>
    <p class="typing"></p>
    <p class="unseen" role="status"></p>
    <div class="notes">
      <div class="banner" hidden><span></span> <button class="quiet" type="button" data-t="room.retry"></button></div>
      <p class="told" hidden><span></span></p>
    </div>
    <form class="composer" part="composer">
      <p class="error" id="unsendable" role="alert" hidden></p>
      <div class="aim" hidden><span id="aim"></span> <button class="quiet" type="button" data-t="composer.cancel"></button></div>
      <label class="unseen" for="text" data-t="composer.message"></label>
      <textarea id="text" rows="1" required enterkeyhint="send" autocomplete="off" data-t-placeholder="composer.hint"></textarea>
      <button class="send" data-t="composer.send"></button>
      <p class="hint pace" hidden></p>
    </form>
    <div class="menu" role="menu" data-t-aria-label="room.actions" popover></div>
  </section>
  <dialog aria-labelledby="dialog-title">
    <div class="title"><h2 id="dialog-title"></h2><button class="quiet close" type="button" data-t="dialog.close"></button></div>
    <div class="body"></div>
  </dialog>`;
