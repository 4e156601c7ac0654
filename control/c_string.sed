# A text file as a C string, for #include.
s/["\\]/\\&/g
s/.*/"&\\n"/
