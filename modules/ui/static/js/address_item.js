// What follows the view in the address: "#/history/ITEM"; the view waits for the answer.
() => {
  window.studioAsked?.(VIEW);
  return [decodeURIComponent(location.hash.split('/')[2] || '')];
}
