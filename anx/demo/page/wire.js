// What comes over the websocket: text is JSON; a binary message is a frame.

const text = new TextDecoder();

/** The header of a frame, its parts as bytes, and the picture as a Blob (null without one). */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(text.decode(new Uint8Array(buffer, 4, length)));
  const parts = {};
  let start = 4 + length;
  for (const [name, size] of Object.entries(header.parts)) {
    parts[name] = new Uint8Array(buffer, start, size);
    start += size;
  }
  const picture = parts.picture.length ? new Blob([parts.picture]) : null;
  return { header, parts, picture };
}

/** Opens the websocket; `on` has a function for each kind of message, for frames, and for the end. */
export function connect(on) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/play`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) return on.frame(unpack(data));
    for (const [kind, value] of Object.entries(JSON.parse(data))) on[kind](value);
  };
  socket.onclose = () => on.end();
  return (message) => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); };
}
