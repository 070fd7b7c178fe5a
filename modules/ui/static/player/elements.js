// What the player and the transcript are made of: elements, addresses, times, when they are drawn.
export const make = (tag, css = '', text = '', more = {}) => {
  const made = document.createElement(tag);
  if (css) made.className = css;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(more)) made.setAttribute(name, value);
  return made;
};
export const button = (text, act, more = {}) => {
  const made = make('button', 'studio-button', text, { type: 'button', ...more });
  made.addEventListener('click', act);
  return made;
};
export const address = (kind, what, query) =>
  `recordings/${encodeURIComponent(kind)}/${what}?${new URLSearchParams(query)}`;

export const ask = async (...where) => {
  const answer = await fetch(address(...where), { cache: 'no-store' });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.detail || translate('The studio did not answer.'));
  return content;
};

// A number as the language of the page writes it; `translate` stands in the head of the page.
export const decimal = (value, digits) => value.toLocaleString(window.studioLanguage, {
  minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false,
});

export const clock = seconds => {
  const whole = Math.round(10 * Math.max(0, seconds)) / 10;
  const minutes = Math.floor(whole / 60);
  const rest = decimal(whole % 60, 1).padStart(4, '0');
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
};

// An element that draws its content by `open`, from its attributes. Gradio puts the new HTML of a
// panel into the elements that are there: it changes their attributes and removes what they drew.
export class DrawnElement extends HTMLElement {
  static observedAttributes = ['kind', 'key', 'version'];

  connectedCallback() {
    this.emptied = new MutationObserver(() => { if (!this.firstChild) this.redraw(); });
    this.emptied.observe(this, { childList: true });
    this.redraw();
  }

  disconnectedCallback() {
    this.emptied.disconnect();
  }

  attributeChangedCallback(_name, before, now) {
    if (before !== null && before !== now && this.isConnected) this.redraw();
  }

  // Once all of a change is made.
  redraw() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    queueMicrotask(() => {
      this.isWaiting = false;
      if (!this.isConnected) return;
      this.emptied.takeRecords();
      this.open();
    });
  }
}
