// Loaded by every page, after it is drawn: the elements that play recordings.
import './wave.js';
import './transcript.js';
