// The options of one engine as a form. `fields` has those of each kind of options, `props.label`
// is the kind on show, and the value what was chosen: {kind: {name: value}}. What was never chosen
// has its default.
const fields = FIELDS;
const SETTLED_MS = 2000;
const number = text => (text.trim() === '' ? NaN : Number(text));
let shown = '';
let held = {};
let controls = {};

const make = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const chosen = field => (held[shown] || {})[field.name] ?? field.default;
const keep = (field, value) => {
  held = { ...held, [shown]: { ...held[shown], [field.name]: value } };
  props.value = held;
  controls[field.name].mark();
};
// Only now does the component know the value.
const say = () => setTimeout(() => trigger('input'));

const CONTROLS = {
  switch(field, id) {
    const box = make('input', { type: 'checkbox', id });
    box.addEventListener('change', () => { keep(field, box.checked); say(); });
    return { nodes: [box], show: value => { box.checked = value; } };
  },
  menu(field, id) {
    const menu = make('select', { id }, ...field.offered.map(choice => new Option(choice, choice)));
    menu.addEventListener('change', () => { keep(field, menu.value); say(); });
    return { nodes: [menu], show: value => { menu.value = value; } };
  },
  text(field, id) {
    const box = make('textarea', { rows: 1, id });
    box.addEventListener('input', () => keep(field, box.value));
    box.addEventListener('change', say);
    return { nodes: [box], show: value => { if (box.value !== value) box.value = value; } };
  },
  number(field, id) {
    const limits = { step: field.step };
    if (field.minimum !== null) limits.min = field.minimum;
    if (field.maximum !== null) limits.max = field.maximum;
    const box = make('input', { type: 'number', id, ...limits, step: 'any' });
    const nodes = [box];
    const taken = text => {
      const value = number(text);
      return Number.isNaN(value) ? field.default : field.whole ? Math.round(value) : value;
    };
    const slider = field.slider && make('input', { type: 'range', 'aria-label': field.label, ...limits });
    box.addEventListener('input', () => {
      keep(field, taken(box.value));
      if (slider) slider.value = box.value;
    });
    box.addEventListener('change', () => { show(chosen(field)); say(); });
    if (slider) {
      box.setAttribute('aria-label', translate('{label}, as a number', { label: field.label }));
      slider.addEventListener('input', () => { keep(field, taken(slider.value)); box.value = slider.value; });
      slider.addEventListener('change', say);
      nodes.push(slider);
    }
    const show = value => {
      if (document.activeElement !== box || taken(box.value) !== value) box.value = value;
      if (slider) slider.value = value;
    };
    const outside = value => value < (field.minimum ?? -Infinity) || value > (field.maximum ?? Infinity);
    const limit = value => Number(value).toLocaleString(
      window.studioLanguage, { useGrouping: false, maximumFractionDigits: 20 }
    );
    const refuse = value => (outside(value) ? translate(
      'It must lie between {minimum} and {maximum}.',
      { minimum: limit(field.minimum), maximum: limit(field.maximum) },
    ) : '');
    return { nodes, show, refuse, box };
  },
};

// What is drawn for one field: its label and help, its control, what is wrong with the value, and a
// button that takes the default again.
const drawRow = (field, position) => {
  const id = `${element.id}-${position}`;
  const { nodes, show, refuse = () => '', box = nodes[0] } = CONTROLS[field.type](field, id);
  const wrong = make('p', { class: 'wrong', role: 'alert' });
  const arrow = make('span', { 'aria-hidden': 'true' }, '↺');
  const name = make('span', {}, translate('Reset {label}', { label: field.label }));
  const reset = make('button', { type: 'button', class: 'reset' }, arrow, name);
  const help = make('p', { id: `${id}-help`, class: 'help' }, field.help);
  box.setAttribute('aria-describedby', help.id);
  const mark = () => {
    const words = refuse(chosen(field));
    reset.hidden = chosen(field) === field.default;
    wrong.textContent = words;
    box.setAttribute('aria-invalid', String(Boolean(words)));
  };
  reset.addEventListener('click', () => {
    keep(field, field.default);
    show(field.default);
    box.focus();
    say();
  });
  controls[field.name] = { mark, show: () => { show(chosen(field)); mark(); } };
  const label = make('label', { for: id }, field.label);
  return make('div', { class: `option ${field.type}` }, label, reset, help, ...nodes, wrong);
};
const accept = () => {
  held = props.value || {};
  if ((props.label || '') !== shown) {
    shown = props.label || '';
    controls = {};
    element.replaceChildren(...(fields[shown] || []).map(drawRow));
  }
  for (const control of Object.values(controls)) control.show();
};
// What a closed part of the page was given comes once more, some moments after it is opened.
const given = JSON.stringify(props.value);
const opened = Date.now();
watch(['value', 'label'], () => {
  const value = JSON.stringify(props.value);
  const isKnown = value === JSON.stringify(held);
  if (!isKnown && value === given && Date.now() - opened < SETTLED_MS) props.value = held;
  if (!isKnown || props.label !== shown) accept();
});
accept();
