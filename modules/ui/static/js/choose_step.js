// Opens a step; its tab then has the focus, since the button that was pressed is gone.
() => {
  const focus = () => document.getElementById('STEP-button')?.focus();
  requestAnimationFrame(() => requestAnimationFrame(focus));
  return [{ __type__: 'update', selected: 'STEP' }];
}
