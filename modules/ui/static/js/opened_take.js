// A take that was opened comes into view: in a narrow window it lies far below its list.
const [EVERY_MS, MOST_MS] = [100, 10000];
let shown = '';
new MutationObserver(() => {
  const link = element.querySelector('[data-take]');
  const id = link ? link.dataset.take : '';
  if (id === shown) return;
  shown = id;
  const until = Date.now() + MOST_MS;
  // Before its player is there, the page may be too short.
  const look = () => {
    if (!id || id !== shown || element.offsetParent === null) return;
    const player = document.querySelector(`studio-wave[key="${CSS.escape(id)}"]`);
    if (!player?.offsetParent && Date.now() < until) { setTimeout(look, EVERY_MS); return; }
    const { top } = link.getBoundingClientRect();
    if (top < 0 || top > innerHeight / 2) link.scrollIntoView();
  };
  look();
}).observe(element, { childList: true, subtree: true });
