// What went wrong, in plain words, and what to do.

export const INSECURE = "Browsers give cameras and microphones only to pages from https:// or from this very computer "
  + "(http://localhost or 127.0.0.1). This page came another way, so you can take part with a test pattern only.";

const INSTEAD = "A test pattern is sent instead.";

// Of getUserMedia.
export function ofMedia(error, what) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return `The browser was not allowed to use your ${what}. ${INSTEAD} To change that, allow it in the address bar and join again.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `This device has no ${what} that the browser knows of. ${INSTEAD}`;
    case "NotReadableError":
    case "AbortError":
      return `Your ${what} cannot be used now; does another program have it? ${INSTEAD}`;
    default:
      return `Your ${what} cannot be used (${error.message || error.name}). ${INSTEAD}`;
  }
}

export function ofEnded(what) {
  return `Your ${what} is gone (was it unplugged, or the permission taken back?). ${INSTEAD}`;
}

export function ofDeath({ reason, inARow, restartInMs }) {
  const what = `The media worker is gone: ${reason}.`;
  if (inARow <= 1) return `${what} The server is starting another one; you need not do anything.`;
  const when = restartInMs < 1_000 ? "in a moment" : `in ${Math.round(restartInMs / 1_000)} s`;
  if (inARow < 4) return `${what} That was the ${ordinal(inARow)} time in a row; the next one starts ${when}.`;
  return `${what} It has failed ${inARow} times in a row, so something is wrong with the server: its operator should look `
    + `at its terminal. The next attempt is ${when}.`;
}

export function ofLoss({ why, refused }, seconds) {
  const again = seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again…";
  if (refused) return `You cannot get in: ${why}. ${again}`;
  if (navigator.onLine === false) return "This device is offline. It goes on by itself when the network is back.";
  return why ? `The connection to the server is lost: ${why}. ${again}` : `The server cannot be reached. ${again}`;
}

// Media does not get to any of `candidates`, each "address:port (protocol)".
export function ofStuck(candidates) {
  const places = candidates.join(" or ");
  if (navigator.userAgent.includes("Firefox/") && candidates.every((place) => place.startsWith("127."))) {
    return `Firefox sends no media to ${places}: other browsers on this computer do. For Firefox, start the server with `
      + "--media-ip and the address that this computer has in its network.";
  }
  return `Media does not get through to the server at ${places}. Is a firewall between, or is that not its address as this `
    + "device sees it (options --media-ip and --announced-address)? It goes on trying.";
}

export const UNSUPPORTED = "This browser has no WebRTC that this page could use. Try a current Chrome, Edge, Firefox or Safari.";

function ordinal(number) {
  return { 2: "second", 3: "third" }[number] ?? `${number}th`;
}
