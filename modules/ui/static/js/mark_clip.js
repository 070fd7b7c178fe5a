(start, end) => {
  window.dispatchEvent(new CustomEvent('studio-marked', { detail: [start, end] }));
}
