// What the player and the transcript are made of: elements, addresses, times.
export const make = (tag, css = '', text = '', more = {}) => {
  const made = document.createElement(tag);
  if (css) made.className = css;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(more)) made.setAttribute(name, value);
  return made;
};
export const button = (text, act, more = {}) => {
  const made = make('button', 'studio-live-button', text, { type: 'button', ...more });
  made.addEventListener('click', act);
  return made;
};
export const address = (kind, what, query) =>
  `recordings/${encodeURIComponent(kind)}/${what}?${new URLSearchParams(query)}`;

export const ask = async (...where) => {
  const answer = await fetch(address(...where), { cache: 'no-store' });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.detail || 'The studio did not answer.');
  return content;
};

export const clock = seconds => {
  const whole = Math.round(10 * Math.max(0, seconds)) / 10;
  const minutes = Math.floor(whole / 60);
  const rest = (whole % 60).toFixed(1).padStart(4, '0');
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
};

