// The links of the views: their addresses are "#/view" and "#/view/item". Gradio's own row of tabs
// is hidden, and its buttons are pressed from here.
const links = [...element.querySelectorAll('[data-view]')];
const more = element.querySelector('.more');
const title = document.title;
const KEEP_MS = 300;
const closeMore = () => { element.classList.remove('open'); more.setAttribute('aria-expanded', 'false'); };

// What an answer brings takes the place of what stands there, also of what was chosen meanwhile. So
// nothing can be done on the page, "", or in a view before all it asked for at first has arrived.
const MOST_WAIT_MS = 60000;
const asked = new Map();
const answered = new Set();
const wait = () => {
  const views = document.getElementById('views');
  if (!views) return;
  const current = links.find(one => one.hasAttribute('aria-current'));
  const isWaiting = view => asked.has(view) && !answered.has(view);
  views.inert = isWaiting('') || isWaiting(current?.dataset.view);
};
const release = view => { answered.add(view); wait(); };
// Every view asks for something when it is first shown, but Gradio sends that a moment later: in
// between, what is typed would be cut off in the middle.
const expectAnswer = view => {
  if (asked.has(view)) return;
  asked.set(view, 0);
  setTimeout(release, MOST_WAIT_MS, view);
};
window.studioAsked = view => {
  expectAnswer(view);
  asked.set(view, asked.get(view) + 1);
  wait();
};
window.studioAnswered = view => {
  asked.set(view, asked.get(view) - 1);
  if (!asked.get(view)) release(view);
};

expectAnswer('');
const show = () => {
  const [, view, item] = location.hash.split('/');
  const link = links.find(one => one.dataset.view === view) || links[0];
  if (view && link.dataset.view !== view) history.replaceState(null, '', `#/${link.dataset.view}`);
  for (const one of links) {
    if (one === link) one.setAttribute('aria-current', 'page'); else one.removeAttribute('aria-current');
  }
  const isListed = link.classList.contains('further');
  more.classList.toggle('current', isListed);
  document.title = `${link.querySelector('span').textContent} · ${title}`;
  expectAnswer(link.dataset.view);
  wait();
  const button = document.getElementById(`view-${link.dataset.view}-button`);
  if (!button) return;
  if (button.getAttribute('aria-selected') !== 'true') {
    button.click();
    window.scrollTo(0, 0);
  } else if (item) {
    document.getElementById(`item-${link.dataset.view}`)?.click();
  }
};

// Whatever is done in a view may have changed what is kept of it.
const pauses = new Map();
const keep = view => {
  clearTimeout(pauses.get(view));
  pauses.delete(view);
  document.getElementById(`keep-${view}`)?.click();
};
const keepSoon = event => {
  const current = links.find(one => one.hasAttribute('aria-current'));
  if (!event.isTrusted || !current || !event.target.closest?.('#views')) return;
  const view = current.dataset.view;
  clearTimeout(pauses.get(view));
  pauses.set(view, setTimeout(() => keep(view), KEEP_MS));
};
const keepNow = () => [...pauses.keys()].forEach(keep);
document.addEventListener('visibilitychange', keepNow);
window.addEventListener('pagehide', keepNow);
for (const name of ['input', 'change', 'click', 'keyup', 'focusout']) document.addEventListener(name, keepSoon, true);

window.addEventListener('hashchange', show);
// Not whenever a view is shown: the page may show its first one just after the menu was opened.
for (const one of links) one.addEventListener('click', closeMore);
// The script that restores what was typed asks for it, once the views are there.
window.addEventListener('studio-opened', show);
if (window.studioOpened) show();

more.addEventListener('click', () => {
  const isOpen = element.classList.toggle('open');
  more.setAttribute('aria-expanded', String(isOpen));
});
element.addEventListener('keydown', event => {
  if (event.key === 'Escape' && element.classList.contains('open')) { closeMore(); more.focus(); }
});
document.addEventListener('click', event => { if (!element.contains(event.target)) closeMore(); });

element.querySelector('.skip').addEventListener('click', () => {
  const visible = selector => [...document.querySelectorAll(`#views [role=tabpanel] ${selector}`)]
    .find(one => one.offsetParent !== null && !one.disabled);
  (visible('.studio-text textarea') || visible(':is(textarea, input, button)'))?.focus();
});
element.querySelector('.theme').addEventListener('click', () => {
  const dark = document.body.classList.toggle('dark');
  document.documentElement.dataset.shade = dark ? 'dark' : 'light';
  try { localStorage.setItem('studio-shade', dark ? 'dark' : 'light'); } catch (error) { /* until a reload */ }
});

// What is being done stands below the views, and how much at the link of the view that lists it; in a
// narrow window at "More", which has that link.
const activity = links.find(one => one.dataset.view === 'activity');
const counts = [activity, more].map(place => {
  const count = document.createElement('span');
  count.className = 'count';
  count.setAttribute('aria-hidden', 'true');
  place.append(count);
  return count;
});
const now = element.querySelector('.now');
const say = (name, text) => { now.querySelector(name).textContent = text; };
const askWhatRuns = async () => {
  if (document.visibilityState !== 'visible') return;
  try {
    const answer = await fetch('live');
    if (!answer.ok) return;
    const { running, waiting, title: job, doing, fraction, memory } = await answer.json();
    for (const count of counts) count.textContent = running + waiting ? String(running + waiting) : '';
    const queued = waiting ? translate('{count} waiting', { count: waiting }) : '';
    activity.title = running ? `${job}${queued && ` · ${queued}`}` : '';
    now.hidden = !running;
    say('strong', job);
    say('.doing', doing);
    say('.waiting', queued);
    now.querySelector('progress').value = fraction;
    element.querySelector('.memory').textContent = memory;
  } catch (error) { /* the studio is closed, which the page says */ }
};
setInterval(askWhatRuns, 3000);
askWhatRuns();
