/**
 * How much anybody may ask of this program, and what a room may be called.
 *
 * Knows numbers and names. Does not know rooms or sockets.
 */

/**
 * The most of everything that outsiders can make more of.
 *
 * @typedef {object} Limits
 * @property {number} sockets WebSockets at a time; more are told to come back later.
 * @property {number} connections TCP connections at a time, WebSockets among them; more wait until one of them ends.
 * @property {number} rooms Rooms at a time.
 * @property {number} visitors Visitors in one room.
 * @property {number} silenceMs A connection that nothing is heard of for so long is closed. WebSockets are asked for a
 *   sign of life three times as often.
 */

/**
 * What one worker on one core can carry, roughly, and half of the 1,024 descriptors that a process usually has.
 *
 * @type {Readonly<Limits>}
 */
export const LIMITS = Object.freeze({
  sockets: 400,
  connections: 512,
  rooms: 100,
  visitors: 16,
  silenceMs: 15_000,
});

/**
 * What a room is called: 1 to 64 characters, none of them a control character, no blanks at the ends.
 *
 * @param {string} text
 * @throws {BadName} Why a room cannot be called so.
 */
export function roomName(text) {
  const name = text.trim();
  if (name === '') throw new BadName('a room needs a name: open /NAME, for example /kitchen');
  if (Array.from(name).length > CHARACTERS_MAX) {
    throw new BadName(`a room's name has ${CHARACTERS_MAX} characters at most; choose a shorter one`);
  }
  if (/\p{Cc}/u.test(name)) {
    throw new BadName("a room's name has no control characters; choose one of letters, digits and signs");
  }
  return name;
}

/** No room can be called so. */
export class BadName extends Error {
  name = 'BadName';
}

/** Somebody does not get in: too many are here already. */
export class Full extends Error {
  name = 'Full';
}

// Fits a title and an address bar.
const CHARACTERS_MAX = 64;
