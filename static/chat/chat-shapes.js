/** The elements of the chat that are needed first, before anything is known; `fill` of texts.js says their texts. */

/** Characters. */
export const LONGEST_NAME = 40;

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

export const ROOM = `
  <section class="chat">
    <header part="header">
      <h1 dir="auto"></h1>
      <span class="count"></span>
      <button class="quiet count" type="button" aria-expanded="false" aria-controls="roster"></button>
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
    </aside>
    <p class="barred" hidden></p>
    <p class="typing"></p>
    <p class="unseen" role="status"></p>
    <div class="notes">
      <div class="banner" hidden><span></span> <button class="quiet" type="button" data-t="room.retry"></button></div>
    </div>
    <form class="composer" part="composer">
      <p class="error" id="unsendable" role="alert" hidden></p>
      <label class="unseen" for="text" data-t="composer.message"></label>
      <textarea id="text" rows="1" required enterkeyhint="send" autocomplete="off" data-t-placeholder="composer.hint"></textarea>
      <button class="send" data-t="composer.send"></button>
    </form>
  </section>`;
