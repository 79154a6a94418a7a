/* SPDX-License-Identifier: MIT
 *
 * The structure of a message (RFC 2045, 2046) as its octets come by: headers, bodies, boundaries.
 * Nothing is decoded and nothing kept but a line and the boundaries that are open. What is wrong
 * has a defined meaning: a type that cannot be read is text, a multipart without a boundary is one
 * body; only what exceeds a bound, or may be a boundary or not, is broken.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/str.h"

enum {
	MIME_LINE_MAX = 998, /* of a header and of a boundary, without CRLF (RFC 5322 2.1.1) */
	MIME_VALUE_MAX = 2048,
	MIME_BOUNDARY_MAX = 70,
	MIME_DEPTH_MAX = 32,
	MIME_ENTITIES_MAX = 10000
};

enum mime_kind {
	MIME_TEXT,
	MIME_OTHER,
	MIME_FIXED,     /* a body that must stay as it is: it is signed, it is encoded already, its
			 * type forbids it, or its header contradicts itself */
	MIME_MULTIPART, /* what is before its first and behind its last boundary is its body */
	MIME_MESSAGE    /* its body is an entity */
};
enum mime_field { MIME_FIELD_ANY, MIME_FIELD_TYPE, MIME_FIELD_ENCODING, MIME_FIELD_VERSION };
enum mime_event {
	MIME_MORE,
	MIME_HEADER_LINE, /* `octets`: with CRLF; `field`: what it belongs to */
	MIME_HEADER_END,  /* the empty line, or nothing where a body began without one; `entity` is
			   * all known */
	MIME_BODY,        /* octets of a body, of at most one line */
	MIME_BOUNDARY,    /* the line. The CRLF in front of it was its own */
	MIME_BROKEN       /* `broken` says why; it stays so */
};

struct mime_entity {
	uint32_t index; /* in the order of their headers */
	enum mime_kind kind;
	bool message;      /* has the header of a message, not of a part */
	bool type_said;    /* Content-Type */
	bool version_said; /* MIME-Version */
	bool wide;         /* Content-Transfer-Encoding: 8bit or binary */
	bool opaque;       /* MIME_FIXED, and headers may be in its body */
};

struct mime {
	/* What mime_next told. */
	struct mime_entity entity;
	struct str octets;
	enum mime_field field;
	const char *broken;

	/* Its own. */
	char line[MIME_LINE_MAX + 2]; /* gathered, where it must be seen whole */
	size_t len;
	uint8_t begin; /* what the next octet begins */
	bool header, inside /* a body line, behind its start */, shown, again;
	uint32_t entities, fields;
	struct {
		char text[MIME_BOUNDARY_MAX];
		uint8_t len;
		bool digest;
	} open[MIME_DEPTH_MAX], next; /* next: of the header being read */
	size_t depth;
	char value[MIME_VALUE_MAX];
	size_t value_len;
	unsigned types, encodings;
	uint8_t type;
	bool identity, unreadable;
};

/* Takes octets off *in. Zeroed is the start; lines must end with CRLF, the last one too. */
enum mime_event mime_next(struct mime *m, struct str *in);

#endif
