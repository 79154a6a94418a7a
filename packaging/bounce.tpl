[failure]
Hi. This is the tmail deliverd program at ${me}
I'm afraid I wasn't able to deliver your message to the
following addresses. This is a permanent error; I've given up.
Sorry it didn't work out.

${recipients}--- Below this line is a copy of ${what}.
[delay]
Hi. This is the tmail deliverd program at ${me}
I haven't been able to deliver your message to the following
addresses yet. This is only a warning: I'll keep trying until
${until}. You don't have to send it again.

${recipients}--- Below this line is a copy of ${what}.
[success]
Hi. This is the tmail deliverd program at ${me}
Your message was delivered to the following addresses.

${recipients}--- Below this line is a copy of ${what}.
[relayed]
Hi. This is the tmail deliverd program at ${me}
Your message was passed on for the following addresses, to a server
that doesn't report whether it arrived.

${recipients}--- Below this line is a copy of ${what}.
