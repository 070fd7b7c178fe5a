// Of a text to speak: whether an example is offered, its length, and about how long it takes to say.
text => {
  const letters = [...text.trim()];
  const syllables = letters.filter(one => /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(one));
  // As speech.py estimates; a character that is a syllable takes longer than a letter.
  const seconds = Math.ceil((letters.length - syllables.length) / PER_SECOND + syllables.length / 4.5);
  const minutes = Math.floor(seconds / 60);
  const rest = seconds % 60;
  const time = minutes
    ? translate('{minutes} min {seconds} s', { minutes, seconds: rest })
    : translate('{seconds} s', { seconds });
  const count = letters.length.toLocaleString(window.studioLanguage);
  const words = letters.length === 1
    ? translate('{count} character, about {time} of speech', { count, time })
    : translate('{count} characters, about {time} of speech', { count, time });
  const note = letters.length ? `<div class="studio-note">${words}</div>` : '';
  return [{ __type__: 'update', visible: !letters.length }, note];
}
