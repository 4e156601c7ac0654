/* What a libc's resolver makes of a name: lookup 4|6|any NAME prints its addresses, lookup ptr ADDRESS the name, one a line; a
 * failure as EAI code and text, with exit status 2. Tests build it with musl. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int
lookup_fail(int error)
{
	printf("%d %s\n", error, gai_strerror(error));
	return 2;
}

static int
lookup_address(const struct sockaddr *address, socklen_t size, int flags)
{
	char text[256];
	int error = getnameinfo(address, size, text, sizeof(text), NULL, 0, flags);

	if (error != 0)
		return lookup_fail(error);
	puts(text);
	return 0;
}

int
main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found, *each;
	int error;

	if (argc != 3)
		return 64;
	if (strcmp(argv[1], "ptr") == 0)
		hints.ai_flags = AI_NUMERICHOST;
	else if (strcmp(argv[1], "any") != 0)
		hints.ai_family = argv[1][0] == '6' ? AF_INET6 : AF_INET;
	error = getaddrinfo(argv[2], NULL, &hints, &found);
	if (error != 0)
		return lookup_fail(error);
	for (each = found; each != NULL && error == 0; each = each->ai_next)
		error = lookup_address(each->ai_addr, each->ai_addrlen,
			hints.ai_flags == AI_NUMERICHOST ? NI_NAMEREQD : NI_NUMERICHOST);
	freeaddrinfo(found);
	return error;
}
