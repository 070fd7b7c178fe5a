// Words below a player: the one that is heard is marked, a click or Enter plays from a word.

// Arrow keys move among `nodes`, of which one at a time is in the order of Tab.
export const roam = (place, nodes, keys = ['ArrowLeft', 'ArrowRight']) => {
  if (nodes.length) nodes[0].tabIndex = 0;
  const settle = node => {
    place.querySelector('[data-word][tabindex="0"]')?.setAttribute('tabindex', '-1');
    node.tabIndex = 0;
  };
  place.addEventListener('focusin', event => event.target.matches('[data-word]') && settle(event.target));
  place.addEventListener('keydown', event => {
    const by = [-1, 1][keys.indexOf(event.key)];
    const at = nodes.indexOf(event.target);
    if (!by || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    nodes[Math.min(Math.max(at + by, 0), nodes.length - 1)].focus();
  });
};

// The number of the word that is heard at a time, by bisection; -1 where none has begun.
export const wordAt = (rows, now) => {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle][1] <= now) low = middle + 1; else high = middle;
  }
  return low - 1;
};

// `rows` are [text, start, end] in seconds. Shift and a click select from the last word to this one.
export const words = (place, rows, { jump, select }) => {
  const nodes = rows.map(([text], number) => {
    const node = document.createElement('button');
    Object.assign(node, { type: 'button', textContent: text, tabIndex: -1 });
    node.dataset.word = number;
    return node;
  });
  place.replaceChildren(...nodes);
  place.hidden = !nodes.length;
  place.setAttribute('role', 'group');
  place.setAttribute('aria-label', translate('Words'));
  roam(place, nodes);
  let anchor = 0;
  let heard = -1;
  place.addEventListener('click', event => {
    const number = nodes.indexOf(event.target);
    if (number < 0) return;
    if (event.shiftKey) {
      const [first, last] = [Math.min(anchor, number), Math.max(anchor, number)];
      select(rows[first][1], rows[last][2]);
    } else {
      anchor = number;
      jump(rows[number][1]);
    }
  });
  return {
    at(now) {
      const next = now < 0 ? -1 : wordAt(rows, now);
      if (next === heard) return;
      nodes[heard]?.classList.remove('now');
      nodes[next]?.classList.add('now');
      heard = next;
    },
    // What trimming keeps: the words whose middle is inside.
    keep(start, end) {
      rows.forEach(([, from, to], i) => {
        const middle = (from + to) / 2;
        nodes[i].classList.toggle('left-out', middle < start || middle > end);
      });
    },
  };
};
