// The two ways of saying no.

/** Something that the control side refuses. */
export class Wrong extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Something that a client is told in place of a result. */
export class Rpc extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Something that no client may send; the connection is cut. */
export class Broken extends Error {}
