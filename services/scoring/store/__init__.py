"""Where scoring keeps what it knows: bulk SQL, one statement for many subjects."""
