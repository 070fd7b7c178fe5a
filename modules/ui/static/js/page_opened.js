// What was typed is back: from now on changes are kept, and the view of the address is shown.
() => {
  window.studioOpened = true;
  window.dispatchEvent(new Event('studio-opened'));
  return [];
}
