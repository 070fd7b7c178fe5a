// The words of scripts in the language of the page: `translate('Line {number}', { number: 3 })`.
// TEXTS has the translations by the English text, as in the catalog; stands in the head.
(() => {
  const texts = TEXTS;
  const language = LANGUAGE;
  window.studioLanguage = language;
  window.translate = (text, values = {}) => (texts[text] ?? text).replace(
    /\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
  // Gradio's own words ("Drop File Here") follow the browser: they are to follow the page.
  const languages = Object.freeze([language, ...navigator.languages.filter(one => one !== language)]);
  Object.defineProperty(navigator, 'language', { get: () => language });
  Object.defineProperty(navigator, 'languages', { get: () => languages });
})();
