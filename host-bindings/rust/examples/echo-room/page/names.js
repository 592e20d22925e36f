// Names of rooms: friendly ones to begin with, and those in addresses.

const KINDS = ["amber", "brave", "calm", "clear", "early", "gentle", "happy", "light", "lucky", "merry", "mild", "quick",
  "quiet", "round", "silver", "sunny", "swift", "tidy", "warm", "wide"];
const THINGS = ["bridge", "brook", "cedar", "cove", "dune", "ferry", "fjord", "garden", "harbour", "heron", "island",
  "kestrel", "lantern", "lagoon", "meadow", "otter", "pier", "river", "sluice", "willow"];

// Addresses that are something else than rooms.
const TAKEN = ["signalling", "page", "favicon.ico"];

export const NAME_CHARACTERS_MAX = 64;

export function friendlyName(random = Math.random) {
  const one = (words) => words[Math.floor(random() * words.length)];
  return `${one(KINDS)}-${one(THINGS)}-${10 + Math.floor(random() * 90)}`;
}

// The room that an address names; null for the front door.
export function roomOf(pathname) {
  const segment = pathname.replace(/^\/+/, "");
  if (segment === "") return null;
  try {
    return decodeURIComponent(segment).trim() || null;
  } catch {
    return segment; // A percent sign that encodes nothing.
  }
}

export function pathOf(name) {
  return `/${encodeURIComponent(name)}`;
}

// What is wrong with a name, or null.
export function complaint(name) {
  if (name.trim() === "") return "A room needs a name.";
  if ([...name.trim()].length > NAME_CHARACTERS_MAX) return `A room's name has ${NAME_CHARACTERS_MAX} characters at most.`;
  if (/\p{Cc}/u.test(name)) return "A room's name cannot have control characters.";
  // Dots alone vanish from an address, even encoded.
  if (TAKEN.includes(name.trim()) || /^\.+$/.test(name.trim())) return "This name cannot be an address; choose another one.";
  return null;
}
