// The views take no input before navigation.js says so: Gradio shows them some tenths of a second
// before it sends what they ask for, and what is typed then would be cut off. In the head.
new MutationObserver((changes, observer) => {
  const views = document.getElementById('views');
  if (!views) return;
  views.inert = true;
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
